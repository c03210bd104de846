-- 1 user, 2 session, 3 id
DELETE FROM {p}aside WHERE id = $3 AND user_id = $1 AND session_id = $2
RETURNING 1
