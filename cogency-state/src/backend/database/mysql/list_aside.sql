-- user (null: all)
SELECT about FROM {p}aside
WHERE user_id = COALESCE(CAST(? AS BINARY), user_id)
ORDER BY set_aside_at, id
