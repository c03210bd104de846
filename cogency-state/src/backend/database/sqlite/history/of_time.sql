-- 1 user, 2 session, 3 time in microseconds
SELECT seq FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND kind <> 'note'
  AND at <= strftime('%Y-%m-%d %H:%M:%S', $3 / 1000000, 'unixepoch') || printf('.%06d', $3 % 1000000)
ORDER BY seq DESC
LIMIT 1
