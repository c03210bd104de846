-- 1 user, 2 session, 3 version
SELECT seq FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND version = $3 AND kind IN ('keyframe', 'change')
ORDER BY seq DESC
LIMIT 1
