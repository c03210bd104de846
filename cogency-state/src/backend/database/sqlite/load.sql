-- 1 user, 2 session: the record, and a row for each of the entries that make a state that is apart
SELECT
  s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum, s.state,
  s.state IS NULL, t.seq, t.kind, t.size, t.checksum, t.content
FROM {p}states s
LEFT JOIN {p}history t
  ON t.user_id = CASE WHEN s.state IS NULL THEN $1 END AND t.session_id = $2 AND t.seq >= (
    SELECT k.seq FROM {p}history k
    WHERE k.user_id = $1 AND k.session_id = $2 AND k.kind IN ('keyframe', 'gone')
    ORDER BY k.seq DESC
    LIMIT 1
  )
WHERE s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')
    OR EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id
        AND l.taken_at < s.expires_at AND l.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')
    ))
ORDER BY t.seq
