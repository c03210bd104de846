-- 1 user, 2 session, 3 up to this sequence number, 4 its hash.
--
-- The entry that tells of it: 5 sequence number, 6 hash of the one before, 7 hash, 8 when, in
-- microseconds, 9 event, 10 process, 11 host, 12 version, 13 write id, 14 content
WITH head AS (
  UPDATE {p}heads
  SET seq = $5, hash = $7, at = timestamptz 'epoch' + $8 * interval '1 microsecond',
      pruned_seq = $3, pruned_hash = $4
  WHERE user_id = $1 AND session_id = $2 AND hash = $6
  RETURNING 1
), note AS (
  INSERT INTO {p}history (
    user_id, session_id, seq, event, version, write_id, at, process, host, size, kind, hash,
    content
  )
  SELECT
    $1, $2, $5, $9, $12, $13, timestamptz 'epoch' + $8 * interval '1 microsecond', $10, $11, 0,
    'note', $7, $14
  FROM head
), removed AS (
  DELETE FROM {p}history
  WHERE user_id = $1 AND session_id = $2 AND seq <= $3 AND EXISTS (SELECT 1 FROM head)
)
SELECT count(*) FROM head
