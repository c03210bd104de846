-- user, user again, session, how many: in order, behind this key
SELECT h.user_id, h.session_id
FROM {p}heads h
WHERE h.user_id >= CAST(? AS BINARY)
  AND (h.user_id > CAST(? AS BINARY) OR h.session_id > CAST(? AS BINARY))
ORDER BY h.user_id, h.session_id
LIMIT ?
