-- 1 user, 2 session, 3 first sequence number, 4 last, 5 at most so many
SELECT
  h.seq, h.event, h.version, h.write_id, (extract(epoch FROM h.at) * 1000000)::bigint, h.process, h.host,
  h.actor, h.phase, h.provider, h.model, h.state_type, h.schema_version, h.size, h.checksum,
  h.kind, h.hash, h.metadata, h.content
FROM {p}history h
WHERE h.user_id = $1 AND h.session_id = $2 AND h.seq >= $3 AND h.seq <= $4
ORDER BY h.seq
LIMIT $5
