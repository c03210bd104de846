-- user, session, before this sequence number, at most so many
SELECT
  h.seq, h.event, h.version, h.write_id, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', h.at),
  h.process, h.host, h.actor, h.phase, h.provider, h.model, h.state_type, h.schema_version,
  h.size, h.checksum, h.kind, h.hash, h.metadata, ''
FROM {p}history h
WHERE h.user_id = CAST(? AS BINARY) AND h.session_id = CAST(? AS BINARY) AND h.seq < ?
ORDER BY h.seq DESC
LIMIT ?
