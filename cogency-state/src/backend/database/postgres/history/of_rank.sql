-- 1 user, 2 session, 3 how many versions are newer
SELECT seq FROM {p}history
WHERE user_id = $1 AND session_id = $2 AND kind IN ('keyframe', 'change')
ORDER BY seq DESC
LIMIT 1 OFFSET $3
