-- 1 user, 2 session, 3 attempt, 4 id.
--
-- Its entry in the history: 5 sequence number, or null if there is none, 6 hash of the one before,
-- 7 hash, 8 when, in microseconds, 9 event, 10 process, 11 host, 12 actor, 13 size, 14 checksum,
-- 15 metadata
-- What had expired when the lease was taken makes room.
DELETE FROM {p}states
WHERE user_id = $1 AND session_id = $2
  AND expires_at <= (
    SELECT taken_at FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  );
INSERT INTO {p}states (
  user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
  saved_at, saved_by, checksum, metadata, state
)
SELECT
  a.user_id, a.session_id, a.version, a.write_id, a.schema_version, a.state_type, a.provider,
  a.model, a.phase, a.saved_at, a.saved_by, a.checksum, a.metadata, a.state
FROM {p}aside a
JOIN {p}leases l ON l.user_id = a.user_id AND l.session_id = a.session_id AND l.attempt = $3
WHERE a.id = $4 AND a.user_id = $1 AND a.session_id = $2
  AND NOT EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2)
  AND ($5 IS NULL OR $6 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
DELETE FROM {p}aside WHERE changes() = 1 AND id = $4;
INSERT INTO {p}history (
  user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase, provider,
  model, state_type, schema_version, size, checksum, kind, hash, metadata, content
)
SELECT
  $1, $2, $5, $9, version, write_id,
  strftime('%Y-%m-%d %H:%M:%S', $8 / 1000000, 'unixepoch') || printf('.%06d', $8 % 1000000),
  $10, $11, $12, phase, provider, model, state_type, schema_version, $13, $14, 'keyframe', $7,
  $15, state
FROM {p}states
WHERE changes() = 1 AND $5 IS NOT NULL AND user_id = $1 AND session_id = $2;
INSERT INTO {p}heads (
  user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes, change_bytes,
  changes
)
SELECT $1, $2, seq, hash, at, version, write_id, checksum, size, 0, 0
FROM {p}history
WHERE changes() = 1 AND user_id = $1 AND session_id = $2 AND seq = $5 AND hash = $7
ON CONFLICT (user_id, session_id) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, version = excluded.version,
    write_id = excluded.write_id, checksum = excluded.checksum,
    keyframe_bytes = excluded.keyframe_bytes, change_bytes = 0, changes = 0;
SELECT
  EXISTS (SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3),
  EXISTS (SELECT 1 FROM {p}aside WHERE id = $4 AND user_id = $1 AND session_id = $2),
  EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2),
  CASE WHEN $5 IS NULL THEN 0 WHEN h.hash IS $7 THEN 1 WHEN h.hash IS $6 THEN 0 ELSE 2 END
FROM (SELECT 1)
LEFT JOIN {p}heads h ON h.user_id = $1 AND h.session_id = $2
