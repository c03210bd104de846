-- 1 user, 2 session, 3 attempt, 4 hash, 5 content
INSERT INTO {p}blobs (user_id, session_id, sha256, bytes, stored_at, content)
SELECT $1, $2, $4, length($5), strftime('%Y-%m-%d %H:%M:%f', 'now'), $5
FROM {p}leases
WHERE user_id = $1 AND session_id = $2 AND attempt = $3
ON CONFLICT DO NOTHING;
SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
