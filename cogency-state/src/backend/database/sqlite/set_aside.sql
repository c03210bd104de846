-- 1 user, 2 session, 3 attempt, 4 id, 5 what is known of it
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
INSERT INTO {p}aside (
  id, user_id, session_id, about, set_aside_at, version, write_id, schema_version, state_type,
  provider, model, phase, saved_at, saved_by, checksum, metadata, state
)
SELECT
  $4, s.user_id, s.session_id, $5, strftime('%Y-%m-%d %H:%M:%f', 'now'), s.version, s.write_id,
  s.schema_version, s.state_type, s.provider, s.model, s.phase, s.saved_at, s.saved_by,
  s.checksum, s.metadata, s.state
FROM {p}states s
JOIN {p}leases l ON l.user_id = s.user_id AND l.session_id = s.session_id AND l.attempt = $3
WHERE s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  AND NOT EXISTS (SELECT 1 FROM {p}aside WHERE id = $4);
DELETE FROM {p}states
WHERE changes() = 1 AND user_id = $1 AND session_id = $2;
SELECT
  EXISTS (SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3),
  EXISTS (SELECT 1 FROM {p}aside WHERE id = $4);
COMMIT
