-- 1 user, 2 session, 3 attempt, 4 hash
DELETE FROM {p}blobs
WHERE user_id = $1 AND session_id = $2 AND sha256 = $4
  AND EXISTS (
    SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  );
SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
