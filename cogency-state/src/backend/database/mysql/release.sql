DELETE FROM {p}leases WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY) AND attempt = ?
