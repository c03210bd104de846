-- 1 user, 2 session, 3 attempt, 4 id, 5 what is known of it.
--
-- Its entry in the history: 6 sequence number, or null if there is none, 7 hash of the one before,
-- 8 hash, 9 when, in microseconds, 10 event, 11 process, 12 host, 13 version
INSERT INTO {p}aside (
  id, user_id, session_id, about, set_aside_at, version, write_id, schema_version, state_type,
  provider, model, phase, saved_at, saved_by, checksum, metadata, state
)
SELECT
  $4, s.user_id, s.session_id, $5, strftime('%Y-%m-%d %H:%M:%f', 'now'), s.version, s.write_id,
  s.schema_version, s.state_type, s.provider, s.model, s.phase, s.saved_at, s.saved_by,
  s.checksum, s.metadata, coalesce(s.state, {whole})
FROM {p}states s
JOIN {p}leases l ON l.user_id = s.user_id AND l.session_id = s.session_id AND l.attempt = $3
WHERE s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  AND NOT EXISTS (SELECT 1 FROM {p}aside WHERE id = $4)
  AND ($6 IS NULL OR $7 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
DELETE FROM {p}states
WHERE changes() = 1 AND user_id = $1 AND session_id = $2;
INSERT INTO {p}history (
  user_id, session_id, seq, event, version, write_id, at, process, host, size, kind, hash,
  metadata, content
)
SELECT
  $1, $2, $6, $10, $13, $4,
  strftime('%Y-%m-%d %H:%M:%S', $9 / 1000000, 'unixepoch') || printf('.%06d', $9 % 1000000),
  $11, $12, 0, 'gone', $8, $5, ''
WHERE changes() = 1 AND $6 IS NOT NULL;
INSERT INTO {p}heads (
  user_id, session_id, seq, hash, at, version, write_id, keyframe_bytes, change_bytes, changes
)
SELECT $1, $2, seq, hash, at, 0, write_id, 0, 0, 0
FROM {p}history
WHERE changes() = 1 AND user_id = $1 AND session_id = $2 AND seq = $6 AND hash = $8
ON CONFLICT (user_id, session_id) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, version = 0,
    write_id = excluded.write_id, checksum = NULL, keyframe_bytes = 0, change_bytes = 0,
    changes = 0;
SELECT
  EXISTS (SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3),
  EXISTS (SELECT 1 FROM {p}aside WHERE id = $4),
  CASE WHEN $6 IS NULL THEN 0 WHEN h.hash IS $8 THEN 1 WHEN h.hash IS $7 THEN 0 ELSE 2 END
FROM (SELECT 1)
LEFT JOIN {p}heads h ON h.user_id = $1 AND h.session_id = $2
