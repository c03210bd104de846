SELECT * FROM {p}restore_aside($1, $2, $3, $4)
