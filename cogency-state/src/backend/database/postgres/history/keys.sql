-- 1 user, 2 user again, 3 session, 4 how many: in order, behind this key
SELECT h.user_id, h.session_id
FROM {p}heads h
WHERE h.user_id >= $1
  AND (h.user_id > $2 OR h.session_id > $3)
ORDER BY h.user_id, h.session_id
LIMIT $4
