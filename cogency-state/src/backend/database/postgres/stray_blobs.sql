-- Keys with blobs of which nothing is left that could name one: 1, 2 user, or null for all, 3 session
SELECT DISTINCT b.user_id, b.session_id
FROM {p}blobs b
WHERE ($1::text IS NULL OR (b.user_id = $2 AND b.session_id = $3))
  AND NOT EXISTS (
    SELECT 1 FROM {p}states s WHERE s.user_id = b.user_id AND s.session_id = b.session_id
  )
  AND NOT EXISTS (
    SELECT 1 FROM {p}aside a WHERE a.user_id = b.user_id AND a.session_id = b.session_id
  )
  AND NOT EXISTS (
    SELECT 1 FROM {p}history h
    WHERE h.user_id = b.user_id AND h.session_id = b.session_id AND h.kind IN ('keyframe', 'change')
  )
