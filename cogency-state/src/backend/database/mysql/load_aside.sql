-- user, session, id
SELECT
  version, write_id, schema_version, state_type, metadata, checksum, state, provider, model, phase
FROM {p}aside
WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY) AND id = ?
