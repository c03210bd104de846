-- 1 user, 2 user again, 3 session, 4 how many: in order, behind this key
SELECT s.user_id, s.session_id
FROM {p}states s
WHERE s.user_id >= $1
  AND (s.user_id > $2 OR s.session_id > $3)
  AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp()
    OR EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id
        AND l.taken_at < s.expires_at AND l.expires_at > clock_timestamp()
    ))
ORDER BY s.user_id, s.session_id
LIMIT $4
