-- 1 user, 2 session
SELECT s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum, s.state
FROM {p}states s
WHERE s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')
    OR EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id
        AND l.taken_at < s.expires_at AND l.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')
    ))
