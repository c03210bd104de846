-- user, user again, session, how many: in order, behind this key
SELECT s.user_id, s.session_id
FROM {p}states s
WHERE s.user_id >= CAST(? AS BINARY)
  AND (s.user_id > CAST(? AS BINARY) OR s.session_id > CAST(? AS BINARY))
  AND (s.expires_at IS NULL OR s.expires_at > UTC_TIMESTAMP(6)
    OR EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id
        AND l.taken_at < s.expires_at AND l.expires_at > UTC_TIMESTAMP(6)
    ))
ORDER BY s.user_id, s.session_id
LIMIT ?
