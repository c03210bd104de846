-- 1 user, 2 session, 3 attempt, 4 whether to release, 5 expected version, 6 expected write id,
-- 7 version, 8 write id, 9 schema version, 10 type, 11 provider, 12 model, 13 phase, 14 by whom,
-- 15 microseconds until it expires, 16 checksum, 17 metadata, 18 state
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
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
  );
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
  AND NOT EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2);
SELECT EXISTS (
    SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  ), s.version, s.write_id
FROM (SELECT 1)
LEFT JOIN {p}states s
  ON s.user_id = $1 AND s.session_id = $2
  AND (s.expires_at IS NULL OR s.expires_at > coalesce(
    (SELECT taken_at FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3),
    strftime('%Y-%m-%d %H:%M:%f', 'now')
  ));
DELETE FROM {p}leases
WHERE $4 = 1 AND user_id = $1 AND session_id = $2 AND attempt = $3
  AND EXISTS (
    SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2 AND write_id = $8
  );
COMMIT
