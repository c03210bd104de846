-- 1 user, 2 session, 3 attempt, 4 id
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
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
  AND NOT EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2);
DELETE FROM {p}aside WHERE changes() = 1 AND id = $4;
SELECT
  EXISTS (SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3),
  EXISTS (SELECT 1 FROM {p}aside WHERE id = $4 AND user_id = $1 AND session_id = $2),
  EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2);
COMMIT
