-- 1 user, 2 session, 3 attempt, 4 microseconds
UPDATE {p}leases
SET expires_at = strftime('%Y-%m-%d %H:%M:%f', 'now', ($4 / 1000000.0) || ' seconds')
WHERE user_id = $1 AND session_id = $2 AND attempt = $3
RETURNING 1
