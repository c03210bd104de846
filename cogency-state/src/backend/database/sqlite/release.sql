-- 1 user, 2 session, 3 attempt
DELETE FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
