SELECT * FROM {p}remove_blob($1, $2, $3, $4)
