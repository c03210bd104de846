-- user, session, hash
SELECT content FROM {p}blobs
WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY) AND sha256 = ?
