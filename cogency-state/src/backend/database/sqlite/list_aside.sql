-- 1 user (null: all)
SELECT about FROM {p}aside WHERE $1 IS NULL OR user_id = $1 ORDER BY set_aside_at, id
