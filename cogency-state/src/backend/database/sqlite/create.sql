-- As `save`, where no state is expected. What had expired when the lease was taken makes room.
DELETE FROM {p}states
WHERE user_id = $1 AND session_id = $2
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
WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  AND NOT EXISTS (SELECT 1 FROM {p}states WHERE user_id = $1 AND session_id = $2)
  AND ($19 IS NULL
    OR $20 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
