-- 1 user, 2 session, 3 hash
SELECT content FROM {p}blobs WHERE user_id = $1 AND session_id = $2 AND sha256 = $3
