-- 1 user, 2 session, 3 hash of the newest entry
DELETE FROM {p}heads
WHERE user_id = $1 AND session_id = $2 AND hash = $3
  AND NOT EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2);
DELETE FROM {p}history
WHERE user_id = $1 AND session_id = $2
  AND NOT EXISTS (SELECT 1 FROM {p}heads WHERE user_id = $1 AND session_id = $2)
