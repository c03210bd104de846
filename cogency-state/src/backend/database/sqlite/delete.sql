-- 1 user, 2 session, 3 attempt, 4 an id of this deletion.
--
-- Its entry in the history: 5 sequence number, or null if there is none, 6 hash of the one before,
-- 7 hash, 8 when, in microseconds, 9 event, 10 process, 11 host, 12 version
UPDATE {p}leases
SET deletion = $4
WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  AND EXISTS (
    SELECT 1 FROM {p}states s
    WHERE s.user_id = $1 AND s.session_id = $2
      AND (s.expires_at IS NULL OR s.expires_at > {p}leases.taken_at)
  )
  AND ($5 IS NULL OR $6 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
DELETE FROM {p}states
WHERE user_id = $1 AND session_id = $2
  AND EXISTS (
    SELECT 1 FROM {p}leases WHERE user_id = $1 AND session_id = $2 AND attempt = $3
  )
  AND ($5 IS NULL OR $6 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
INSERT INTO {p}history (
  user_id, session_id, seq, event, version, write_id, at, process, host, size, kind, hash, content
)
SELECT
  $1, $2, $5, $9, $12, $4,
  strftime('%Y-%m-%d %H:%M:%S', $8 / 1000000, 'unixepoch') || printf('.%06d', $8 % 1000000),
  $10, $11, 0, 'gone', $7, ''
FROM {p}leases
WHERE $5 IS NOT NULL AND user_id = $1 AND session_id = $2 AND attempt = $3 AND deletion = $4
  AND $6 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2)
  AND $4 IS NOT (SELECT write_id FROM {p}heads WHERE user_id = $1 AND session_id = $2);
INSERT INTO {p}heads (
  user_id, session_id, seq, hash, at, version, write_id, keyframe_bytes, change_bytes, changes
)
SELECT $1, $2, seq, hash, at, 0, write_id, 0, 0, 0
FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND seq = $5 AND hash = $7
ON CONFLICT (user_id, session_id) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, version = 0,
    write_id = excluded.write_id, checksum = NULL, keyframe_bytes = 0, change_bytes = 0,
    changes = 0
WHERE {p}heads.hash IS $6;
SELECT count(*), count(CASE WHEN l.deletion = $4 THEN 1 END),
  max(CASE WHEN $5 IS NULL THEN 0 WHEN h.hash IS $7 THEN 1 WHEN h.hash IS $6 THEN 0 ELSE 2 END)
FROM {p}leases l
LEFT JOIN {p}heads h ON h.user_id = l.user_id AND h.session_id = l.session_id
WHERE l.user_id = $1 AND l.session_id = $2 AND l.attempt = $3
