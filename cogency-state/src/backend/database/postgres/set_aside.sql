SELECT * FROM {p}set_aside($1, $2, $3, $4, $5)
