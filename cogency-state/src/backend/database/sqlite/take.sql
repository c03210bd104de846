-- 1 user, 2 session, 3 attempt, 4 holder, 5 microseconds, 6 whether to look at the record, 7 write
-- id of a record whose state the caller knows, or null, 8 whether that is apart.
--
-- A lease need not be on the disk: a save behind it takes it along.
DELETE FROM {p}leases
WHERE user_id = $1 AND session_id = $2 AND attempt <> $3
  AND expires_at <= strftime('%Y-%m-%d %H:%M:%f', 'now');
INSERT INTO {p}leases (user_id, session_id, attempt, holder, taken_at, expires_at)
VALUES (
  $1, $2, $3, $4,
  strftime('%Y-%m-%d %H:%M:%f', 'now'),
  strftime('%Y-%m-%d %H:%M:%f', 'now', ($5 / 1000000.0) || ' seconds')
)
ON CONFLICT DO NOTHING;
-- A row for each of the entries that make a state that is apart, unless it is known.
SELECT
  l.attempt = $3, l.token, l.holder,
  s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum,
  CASE WHEN s.write_id = $7 AND $8 = 0 THEN NULL ELSE s.state END, s.state IS NULL,
  CAST(strftime('%s', 'now') AS INTEGER) * 1000000
    + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000,
  h.seq, h.hash,
  CAST(strftime('%s', substr(h.at, 1, 19)) AS INTEGER) * 1000000
    + CAST(substr(h.at, 21) AS INTEGER),
  h.version, h.write_id, h.checksum, h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq,
  h.pruned_hash,
  t.seq, t.kind, t.size, t.checksum, t.content
FROM {p}leases l
LEFT JOIN {p}states s
  ON $6 = 1 AND l.attempt = $3 AND s.user_id = l.user_id AND s.session_id = l.session_id
  AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
LEFT JOIN {p}heads h
  ON l.attempt = $3 AND h.user_id = l.user_id AND h.session_id = l.session_id
LEFT JOIN {p}history t
  ON t.user_id = CASE
    WHEN s.state IS NULL AND ($7 IS NULL OR $8 = 0 OR s.write_id <> $7) THEN s.user_id
  END
  AND t.session_id = $2 AND t.seq >= (
    SELECT k.seq FROM {p}history k
    WHERE k.user_id = $1 AND k.session_id = $2 AND k.kind IN ('keyframe', 'gone')
    ORDER BY k.seq DESC
    LIMIT 1
  )
WHERE l.user_id = $1 AND l.session_id = $2
ORDER BY t.seq
