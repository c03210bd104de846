SELECT * FROM {p}renew($1, $2, $3, $4)
