-- user, session, hash of the newest entry
DELETE d, h
FROM {p}heads d
LEFT JOIN {p}history h ON h.user_id = d.user_id AND h.session_id = d.session_id
WHERE d.user_id = CAST(? AS BINARY) AND d.session_id = CAST(? AS BINARY) AND d.hash = ?
  AND NOT EXISTS (
    SELECT 1 FROM {p}states s WHERE s.user_id = d.user_id AND s.session_id = d.session_id
  )
