-- 1 user, 2 session
SELECT sha256, bytes FROM {p}blobs WHERE user_id = $1 AND session_id = $2
