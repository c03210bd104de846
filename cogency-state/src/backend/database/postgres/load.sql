-- 1 user, 2 session: the record, and a row for each of the entries that make a state that is apart
SELECT
  s.version, s.write_id, s.schema_version, s.state_type, s.metadata::text, s.checksum,
  s.state::text, (s.state IS NULL)::int::bigint, t.seq, t.kind, t.size, t.checksum, t.content
FROM {p}states s
LEFT JOIN LATERAL (
  SELECT e.seq, e.kind, e.size, e.checksum, e.content
  FROM {p}history e
  WHERE s.state IS NULL AND e.user_id = $1 AND e.session_id = $2 AND e.seq >= (
    SELECT k.seq FROM {p}history k
    WHERE k.user_id = $1 AND k.session_id = $2 AND k.kind IN ('keyframe', 'gone')
    ORDER BY k.seq DESC
    LIMIT 1
  )
  OFFSET 0
) t ON true
WHERE s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp()
    OR EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id
        AND l.taken_at < s.expires_at AND l.expires_at > clock_timestamp()
    ))
ORDER BY t.seq
