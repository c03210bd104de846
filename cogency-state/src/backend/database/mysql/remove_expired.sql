CALL {p}remove_expired()
