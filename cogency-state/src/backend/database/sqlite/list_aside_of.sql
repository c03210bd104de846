-- 1 user
SELECT about FROM {p}aside WHERE user_id = $1 ORDER BY set_aside_at, id
