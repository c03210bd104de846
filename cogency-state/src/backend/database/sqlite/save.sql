-- 1 user, 2 session, 3 attempt, 4 whether to release, 5 expected version, 6 expected write id,
-- 7 version, 8 write id, 9 schema version, 10 type, 11 provider, 12 model, 13 phase, 14 by whom,
-- 15 microseconds until it expires, 16 checksum, 17 metadata, 18 state.
--
-- Its entry in the history: 19 sequence number, or null if there is none, 20 hash of the one
-- before, 21 hash, 22 when, in microseconds, 23 event, 24 process, 25 host, 26 actor, 27 size,
-- 28 checksum, 29 kind, 30 content, or null if it is the state. 31 to 33: bytes of the keyframe,
-- bytes and number of the changes since.
-- Behind this or `create` stands `enter`, with the same arguments.
UPDATE {p}states
SET version = $7, write_id = $8, schema_version = $9,
    saved_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), checksum = $16, metadata = $17, state = $18
WHERE user_id = $1 AND session_id = $2 AND version = $5 AND write_id = $6
  AND EXISTS (
    SELECT 1 FROM {p}leases l
    WHERE l.user_id = $1 AND l.session_id = $2 AND l.attempt = $3
      AND ({p}states.expires_at IS NULL OR {p}states.expires_at > l.taken_at)
  )
  AND ($19 IS NULL
    OR $20 IS (SELECT hash FROM {p}heads WHERE user_id = $1 AND session_id = $2));
-- An index of each column that is named is written to, whether it changes or not: so these are only
-- where one of them does.
UPDATE {p}states
SET state_type = $10, provider = $11, model = $12, phase = $13, saved_by = $14,
    expires_at = strftime('%Y-%m-%d %H:%M:%f', saved_at, ($15 / 1000000.0) || ' seconds')
WHERE user_id = $1 AND session_id = $2 AND write_id = $8
  AND (state_type IS NOT $10 OR provider IS NOT $11 OR model IS NOT $12 OR phase IS NOT $13
    OR saved_by IS NOT $14
    OR expires_at IS NOT strftime('%Y-%m-%d %H:%M:%f', saved_at, ($15 / 1000000.0) || ' seconds'));
