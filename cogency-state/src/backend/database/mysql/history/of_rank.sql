-- user, session, how many versions are newer
SELECT seq FROM {p}history
WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY)
  AND kind IN ('keyframe', 'change')
ORDER BY seq DESC
LIMIT 1 OFFSET ?
