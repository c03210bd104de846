SELECT {p}release($1, $2, $3)
