-- user, session
SELECT sha256, bytes FROM {p}blobs
WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY)
