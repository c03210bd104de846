(WITH RECURSIVE made(seq, size, state) AS (
    SELECT seq, size, CAST(content AS BLOB)
    FROM (
      SELECT k.seq, k.size, k.kind, k.content FROM {p}history k
      WHERE k.user_id = s.user_id AND k.session_id = s.session_id
        AND k.kind IN ('keyframe', 'gone')
      ORDER BY k.seq DESC
      LIMIT 1
    )
    WHERE kind = 'keyframe'
    UNION ALL
    SELECT
      n.seq, CASE n.kind WHEN 'note' THEN m.size ELSE n.size END,
      CASE n.kind WHEN 'note' THEN m.state ELSE (
        SELECT CAST(group_concat(
          CASE c.type
            WHEN 'text' THEN c.value
            ELSE substr(m.state, (c.value ->> 0) + 1, c.value ->> 1)
          END, '' ORDER BY c.key
        ) AS BLOB)
        FROM json_each(CASE WHEN json_valid(n.content) THEN n.content ELSE '[]' END) c
      ) END
    FROM made m
    JOIN {p}history n
      ON n.user_id = s.user_id AND n.session_id = s.session_id AND n.seq = m.seq + 1
  )
  SELECT CASE WHEN length(state) = size THEN CAST(state AS TEXT) END
  FROM made
  WHERE seq = (
    SELECT seq FROM {p}heads WHERE user_id = s.user_id AND session_id = s.session_id
  ))
