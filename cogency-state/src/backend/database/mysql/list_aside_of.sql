-- user
SELECT about FROM {p}aside WHERE user_id = CAST(? AS BINARY) ORDER BY set_aside_at, id
