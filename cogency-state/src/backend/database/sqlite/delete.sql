-- 1 user, 2 session, 3 attempt, 4 an id of this deletion
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
UPDATE {p}leases
SET deletion = $4
WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  AND EXISTS (
    SELECT 1 FROM {p}states s
    WHERE s.user_id = $1 AND s.session_id = $2
      AND (s.expires_at IS NULL OR s.expires_at > {p}leases.taken_at)
  );
DELETE FROM {p}states
WHERE user_id = $1 AND session_id = $2
  AND EXISTS (
    SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  );
SELECT count(*), count(CASE WHEN deletion = $4 THEN 1 END)
FROM {p}leases
WHERE user_id = $1 AND session_id = $2 AND attempt = $3;
COMMIT
