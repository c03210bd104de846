-- 1 user (null: all)
SELECT about::text FROM {p}aside
WHERE $1::text IS NULL OR user_id = $1
ORDER BY set_aside_at, id
