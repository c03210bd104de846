-- now() is the same for all rows, so that an index can tell them.
WITH removed AS (
  DELETE FROM {p}states s
  WHERE s.expires_at <= now()
    AND NOT EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id AND l.taken_at < s.expires_at
    )
  RETURNING 1
)
SELECT count(*) FROM removed
