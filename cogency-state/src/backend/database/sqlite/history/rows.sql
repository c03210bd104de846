-- 1 user, 2 session, 3 first sequence number, 4 last, 5 at most so many
SELECT
  seq, event, version, write_id,
  CAST(strftime('%s', substr(at, 1, 19)) AS INTEGER) * 1000000 + CAST(substr(at, 21) AS INTEGER),
  process, host, actor, phase, provider, model, state_type, schema_version, size, checksum, kind,
  hash, metadata, content
FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND seq >= $3 AND seq <= $4
ORDER BY seq
LIMIT $5
