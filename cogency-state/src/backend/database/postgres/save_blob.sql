SELECT * FROM {p}save_blob($1, $2, $3, $4, $5)
