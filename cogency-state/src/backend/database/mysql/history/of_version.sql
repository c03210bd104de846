-- user, session, version
SELECT seq FROM {p}history
WHERE user_id = CAST(? AS BINARY) AND session_id = CAST(? AS BINARY) AND version = ?
  AND kind IN ('keyframe', 'change')
ORDER BY seq DESC
LIMIT 1
