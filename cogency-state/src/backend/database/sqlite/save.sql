-- 1 user, 2 session, 3 attempt, 4 whether to release, 5 expected version, 6 expected write id,
-- 7 version, 8 write id, 9 schema version, 10 type, 11 provider, 12 model, 13 phase, 14 by whom,
-- 15 microseconds until it expires, 16 checksum, 17 metadata, 18 state.
--
-- Its entry in the history: 19 sequence number, or null if there is none, 20 hash of the one
-- before, 21 hash, 22 when, in microseconds, 23 event, 24 process, 25 host, 26 actor, 27 size,
-- 28 checksum, 29 kind, 30 content, or null if it is the state. 31 to 33: bytes of the keyframe,
-- bytes and number of the changes since.
UPDATE {p}states
SET version = $7, write_id = $8, schema_version = $9, state_type = $10, provider = $11,
    model = $12, phase = $13, saved_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), saved_by = $14,
    expires_at = strftime('%Y-%m-%d %H:%M:%f', 'now', ($15 / 1000000.0) || ' seconds'),
    checksum = $16, metadata = $17, state = $18
WHERE user_id = $1 AND session_id = $2 AND version = $5 AND write_id = $6
  AND EXISTS (
    SELECT 1 FROM {p}leases l
    WHERE l.user_id = $1 AND l.session_id = $2 AND l.attempt = $3
      AND ({p}states.expires_at IS NULL OR {p}states.expires_at > l.taken_at)
  )
  AND ($19 IS NULL
    OR $20 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
-- What had expired when the lease was taken makes room for a first save.
DELETE FROM {p}states
WHERE $6 IS NULL AND user_id = $1 AND session_id = $2
  AND expires_at <= (
    SELECT taken_at FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  );
INSERT INTO {p}states (
  user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
  saved_at, saved_by, expires_at, checksum, metadata, state
)
SELECT
  $1, $2, $7, $8, $9, $10, $11, $12, $13,
  strftime('%Y-%m-%d %H:%M:%f', 'now'), $14,
  strftime('%Y-%m-%d %H:%M:%f', 'now', ($15 / 1000000.0) || ' seconds'),
  $16, $17, $18
FROM {p}leases
WHERE $6 IS NULL AND user_id = $1 AND session_id = $2 AND attempt = $3
  AND NOT EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2)
  AND ($19 IS NULL
    OR $20 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
-- Not for a save that is repeated: its entry is there.
INSERT INTO {p}history (
  user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase, provider,
  model, state_type, schema_version, size, checksum, kind, hash, metadata, content
)
SELECT
  $1, $2, $19, $23, $7, $8,
  strftime('%Y-%m-%d %H:%M:%S', $22 / 1000000, 'unixepoch') || printf('.%06d', $22 % 1000000),
  $24, $25, $26, $13, $11, $12, $10, $9, $27, $28, $29, $21, $17, coalesce($30, $18)
FROM {p}states
WHERE $19 IS NOT NULL AND user_id = $1 AND session_id = $2 AND write_id = $8
  AND $20 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2)
  AND $8 IS NOT (SELECT write_id FROM {p}heads WHERE user_id = $1 AND session_id = $2);
INSERT INTO {p}heads (
  user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes, change_bytes,
  changes
)
SELECT $1, $2, seq, hash, at, version, write_id, checksum, $31, $32, $33
FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND seq = $19 AND hash = $21
ON CONFLICT (user_id, session_id) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, version = excluded.version,
    write_id = excluded.write_id, checksum = excluded.checksum,
    keyframe_bytes = excluded.keyframe_bytes, change_bytes = excluded.change_bytes,
    changes = excluded.changes
WHERE {p}heads.hash IS $20;
SELECT EXISTS (
    SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  ), s.version, s.write_id,
  CASE WHEN $19 IS NULL THEN 0 WHEN h.hash IS $21 THEN 1 WHEN h.hash IS $20 THEN 0 ELSE 2 END
FROM (SELECT 1)
LEFT JOIN {p}states s
  ON s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > coalesce(
    (SELECT taken_at FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3),
    strftime('%Y-%m-%d %H:%M:%f', 'now')
  ))
LEFT JOIN {p}heads h ON h.user_id = $1 AND h.session_id = $2;
DELETE FROM {p}leases
WHERE $4 = 1 AND user_id = $1 AND session_id = $2 AND attempt = $3
  AND EXISTS (
    SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2 AND write_id = $8
  )
