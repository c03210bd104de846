-- 1 user, 2 session
SELECT
  CAST(strftime('%s', 'now') AS INTEGER) * 1000000
    + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000,
  h.seq, h.hash,
  CAST(strftime('%s', substr(h.at, 1, 19)) AS INTEGER) * 1000000
    + CAST(substr(h.at, 21) AS INTEGER),
  h.version, h.write_id, h.checksum, h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq,
  h.pruned_hash,
  (SELECT write_id FROM {p}states WHERE user_id = $1 AND session_id = $2)
FROM (SELECT 1)
LEFT JOIN {p}heads h ON h.user_id = $1 AND h.session_id = $2
