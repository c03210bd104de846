-- The entry of a save in the history. Not for one that is repeated: its entry is there.
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
