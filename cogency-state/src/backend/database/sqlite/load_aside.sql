-- 1 user, 2 session, 3 id
SELECT
  version, write_id, schema_version, state_type, metadata, checksum, state, provider, model, phase
FROM {p}aside
WHERE id = $3 AND user_id = $1 AND session_id = $2
