-- 1 user, 2 session
SELECT
  (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
  h.seq, h.hash, (extract(epoch FROM h.at) * 1000000)::bigint, h.version, h.write_id, h.checksum,
  h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash,
  (SELECT s.write_id FROM {p}states s WHERE s.user_id = $1 AND s.session_id = $2)
FROM (SELECT 1) one
LEFT JOIN {p}heads h ON h.user_id = $1 AND h.session_id = $2
