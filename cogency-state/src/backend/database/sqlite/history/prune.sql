-- 1 user, 2 session, 3 up to this sequence number, 4 its hash.
--
-- The entry that tells of it: 5 sequence number, 6 hash of the one before, 7 hash, 8 when, in
-- microseconds, 9 event, 10 process, 11 host, 12 version, 13 write id, 14 content
INSERT INTO {p}history (
  user_id, session_id, seq, event, version, write_id, at, process, host, size, kind, hash, content
)
SELECT
  $1, $2, $5, $9, $12, $13,
  strftime('%Y-%m-%d %H:%M:%S', $8 / 1000000, 'unixepoch') || printf('.%06d', $8 % 1000000),
  $10, $11, 0, 'note', $7, $14
FROM {p}heads
WHERE user_id = $1 AND session_id = $2 AND hash = $6;
DELETE FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND seq <= $3
  AND $6 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2);
UPDATE {p}heads
SET seq = $5, hash = $7, pruned_seq = $3, pruned_hash = $4,
    at = (SELECT at FROM {p}history WHERE user_id = $1 AND session_id = $2 AND seq = $5)
WHERE user_id = $1 AND session_id = $2 AND hash = $6;
SELECT count(*) FROM {p}heads WHERE user_id = $1 AND session_id = $2 AND hash = $7
