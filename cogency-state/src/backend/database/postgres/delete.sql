SELECT * FROM {p}delete($1, $2, $3, $4)
