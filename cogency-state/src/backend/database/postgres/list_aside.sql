SELECT about::text FROM {p}aside ORDER BY set_aside_at, id
