-- user, session: the record, and a row for each of the entries that make a state that is apart
SELECT
  s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum, s.state,
  CAST(s.state IS NULL AS SIGNED), t.seq, t.kind, t.size, t.checksum, t.content
FROM {p}states s
LEFT JOIN {p}history t
  ON t.user_id = IF(s.state IS NULL, s.user_id, NULL) AND t.session_id = s.session_id
  AND t.seq >= (
    SELECT k.seq FROM {p}history k
    WHERE k.user_id = s.user_id AND k.session_id = s.session_id
      AND k.kind IN ('keyframe', 'gone')
    ORDER BY k.seq DESC
    LIMIT 1
  )
WHERE s.user_id = CAST(? AS BINARY) AND s.session_id = CAST(? AS BINARY)
  AND (s.expires_at IS NULL OR s.expires_at > UTC_TIMESTAMP(6)
    OR EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id
        AND l.taken_at < s.expires_at AND l.expires_at > UTC_TIMESTAMP(6)
    ))
ORDER BY t.seq
