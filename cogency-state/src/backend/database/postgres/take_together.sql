-- A function that sets the bound first: the rows of arguments are made behind it.
SELECT r.*, a.n
FROM set_config('lock_timeout', $1, true) AS b (bound),
LATERAL (VALUES {rows}) AS a (
  n, bound, c1, c2, c3, c4, c5, c6, c7, c8
),
LATERAL {p}take(
  c1, c2, c3, c4, c5, c6, c7, c8
) AS r
