-- 1 user, 2 session, 3 sequence number
--
-- Of the newest keyframe up to there: where it stands, and the hash before it.
SELECT k.seq, b.hash
FROM {p}history k
LEFT JOIN {p}history b
  ON b.user_id = k.user_id AND b.session_id = k.session_id AND b.seq = k.seq - 1
WHERE k.user_id = $1 AND k.session_id = $2 AND k.seq <= $3 AND k.kind IN ('keyframe', 'gone')
ORDER BY k.seq DESC
LIMIT 1
