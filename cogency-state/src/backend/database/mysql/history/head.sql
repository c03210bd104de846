-- user, session
SELECT
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)),
  h.seq, h.hash, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', h.at), h.version, h.write_id, h.checksum,
  h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash, s.write_id
FROM (SELECT CAST(? AS BINARY) AS user_id, CAST(? AS BINARY) AS session_id) k
LEFT JOIN {p}heads h ON h.user_id = k.user_id AND h.session_id = k.session_id
LEFT JOIN {p}states s ON s.user_id = k.user_id AND s.session_id = k.session_id
