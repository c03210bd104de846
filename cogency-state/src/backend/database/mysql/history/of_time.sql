-- user, session, time in microseconds
SELECT seq FROM {p}history
WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY)
  AND at <= TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND AND kind <> 'note'
ORDER BY seq DESC
LIMIT 1
