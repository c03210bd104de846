-- 1 user, 2 session, 3 time in microseconds
SELECT seq FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND kind <> 'note'
  AND at <= timestamptz 'epoch' + $3 * interval '1 microsecond'
ORDER BY seq DESC
LIMIT 1
