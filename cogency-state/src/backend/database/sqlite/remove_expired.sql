DELETE FROM {p}states
WHERE expires_at <= strftime('%Y-%m-%d %H:%M:%f', 'now')
  AND NOT EXISTS (
    SELECT 1 FROM {p}leases l
    WHERE l.user_id = {p}states.user_id AND l.session_id = {p}states.session_id
      AND l.taken_at < {p}states.expires_at
  );
SELECT changes()
