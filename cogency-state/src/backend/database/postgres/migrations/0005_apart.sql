-- A large state is apart: its column is null, and it is what the newest keyframe of its history and
-- the changes behind that make. So a save of it writes what changed.
ALTER TABLE {p}states ALTER COLUMN state DROP NOT NULL;
CREATE INDEX ON {p}states (user_id, session_id) WHERE state IS NULL;

-- Null if it could not be made when it was set aside: then its history has what is left of it.
ALTER TABLE {p}aside ALTER COLUMN state DROP NOT NULL;

-- A version and a time are looked for from the newest entry back: two indexes less to write to.
DO $$
DECLARE
  v_index regclass;
BEGIN
  FOR v_index IN
    SELECT indexrelid::regclass FROM pg_index
    WHERE indrelid = '{p}history'::regclass
      AND pg_get_indexdef(indexrelid) ~ '\(user_id, session_id, (version|at)\)$'
  LOOP
    EXECUTE format('DROP INDEX %s', v_index);
  END LOOP;
END $$;

-- What a change makes of a state: [from, length] copies bytes, a text is new.
CREATE FUNCTION {p}changed(old bytea, change text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT string_agg(
    CASE json_typeof(piece)
      WHEN 'string' THEN convert_to(piece #>> '{}', 'UTF8')
      ELSE substring(old FROM (piece ->> 0)::int + 1 FOR (piece ->> 1)::int)
    END, ''::bytea ORDER BY n
  )
  FROM json_array_elements(change::json) WITH ORDINALITY AS pieces(piece, n)
$$;

-- The newest state of a history; null if there is none, or if somebody damaged it.
CREATE FUNCTION {p}whole(p_user text, p_session text) RETURNS json
LANGUAGE plpgsql STABLE STRICT COST 100000 AS $$
DECLARE
  v_state bytea;
  v_size bigint;
  v_due bigint;
  v_entry record;
BEGIN
  FOR v_entry IN
    SELECT h.seq, h.kind, h.size, h.content
    FROM {p}history h
    WHERE h.user_id = p_user AND h.session_id = p_session AND h.seq >= (
      SELECT k.seq FROM {p}history k
      WHERE k.user_id = p_user AND k.session_id = p_session AND k.kind IN ('keyframe', 'gone')
      ORDER BY k.seq DESC
      LIMIT 1
    )
    ORDER BY h.seq
  LOOP
    IF v_entry.seq <> v_due OR v_entry.kind = 'gone' THEN
      RETURN NULL;
    END IF;
    v_due := v_entry.seq + 1;
    IF v_entry.kind = 'note' THEN
      CONTINUE;
    END IF;
    v_state := CASE v_entry.kind
      WHEN 'keyframe' THEN convert_to(v_entry.content, 'UTF8')
      ELSE {p}changed(v_state, v_entry.content)
    END;
    v_size := v_entry.size;
  END LOOP;
  IF octet_length(v_state) IS DISTINCT FROM v_size OR NOT EXISTS (
    SELECT 1 FROM {p}heads h
    WHERE h.user_id = p_user AND h.session_id = p_session AND h.seq = v_due - 1
  ) THEN
    RETURN NULL;
  END IF;
  RETURN convert_from(v_state, 'UTF8')::json;
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END $$;

-- The states as they are now, wherever they stand.
CREATE VIEW {p}current AS
SELECT
  user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
  saved_at, saved_by, expires_at, checksum, metadata,
  coalesce(state, {p}whole(user_id, session_id)) AS state
FROM {p}states;

DROP FUNCTION {p}take(text, text, text, text, bigint, bigint);
-- As before. A state that the caller knows, by its write id and by whether it is apart, is not
-- given; of another one that is apart more rows tell the entries that make it.
CREATE FUNCTION {p}take(
  p_user text, p_session text, p_attempt text, p_holder text, p_micros bigint, p_look bigint,
  p_known text, p_known_apart bigint
) RETURNS TABLE (
  o_taken bigint, o_token bigint, o_holder text, o_version bigint, o_write_id text,
  o_schema_version text, o_state_type text, o_metadata text, o_checksum text, o_state text,
  o_apart bigint, o_now bigint, h_seq bigint, h_hash text, h_at bigint, h_version bigint,
  h_write_id text, h_checksum text, h_keyframe_bytes bigint, h_change_bytes bigint,
  h_changes bigint, h_pruned_seq bigint, h_pruned_hash text,
  t_seq bigint, t_kind text, t_size bigint, t_checksum text, t_content text
) LANGUAGE plpgsql AS $$
BEGIN
  -- A lease need not be on the disk: a save behind it takes it along.
  PERFORM set_config('synchronous_commit', 'off', true);
  -- From the look at the clock until the lease is there nobody else takes one, so that tokens grow.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_user, hashtextextended(p_session, 0)));
  INSERT INTO {p}leases AS l (user_id, session_id, attempt, token, holder, taken_at, expires_at)
  VALUES (
    p_user, p_session, p_attempt, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    p_holder, clock_timestamp(), clock_timestamp() + p_micros * interval '1 microsecond'
  )
  ON CONFLICT (user_id, session_id) DO UPDATE
  SET attempt = excluded.attempt, token = greatest(excluded.token, l.token + 1),
      holder = excluded.holder, taken_at = clock_timestamp(),
      expires_at = clock_timestamp() + p_micros * interval '1 microsecond', deletion = NULL
  WHERE l.expires_at <= clock_timestamp() OR l.attempt = excluded.attempt;
  SELECT
    (l.attempt = p_attempt)::int::bigint, l.token, l.holder,
    s.version, s.write_id, s.schema_version, s.state_type, s.metadata::text, s.checksum,
    CASE
      WHEN s.write_id = p_known AND p_known_apart = 0 THEN NULL
      ELSE s.state::text
    END,
    (s.version IS NOT NULL AND s.state IS NULL)::int::bigint,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, h.seq, h.hash,
    (extract(epoch FROM h.at) * 1000000)::bigint, h.version, h.write_id, h.checksum,
    h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash
  INTO
    o_taken, o_token, o_holder, o_version, o_write_id, o_schema_version, o_state_type, o_metadata,
    o_checksum, o_state, o_apart, o_now, h_seq, h_hash, h_at, h_version, h_write_id, h_checksum,
    h_keyframe_bytes, h_change_bytes, h_changes, h_pruned_seq, h_pruned_hash
  FROM {p}leases l
  LEFT JOIN {p}states s
    ON p_look = 1 AND l.attempt = p_attempt
    AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  LEFT JOIN {p}heads h
    ON l.attempt = p_attempt AND h.user_id = p_user AND h.session_id = p_session
  WHERE l.user_id = p_user AND l.session_id = p_session;
  IF NOT FOUND THEN
    -- Whoever had it gave it back in just this moment.
    RETURN;
  ELSIF o_apart = 0 OR (o_write_id = p_known AND p_known_apart = 1) THEN
    RETURN NEXT;
    RETURN;
  END IF;
  FOR t_seq, t_kind, t_size, t_checksum, t_content IN
    SELECT e.seq, e.kind, e.size, e.checksum, e.content
    FROM {p}history e
    WHERE e.user_id = p_user AND e.session_id = p_session AND e.seq >= (
      SELECT k.seq FROM {p}history k
      WHERE k.user_id = p_user AND k.session_id = p_session AND k.kind IN ('keyframe', 'gone')
      ORDER BY k.seq DESC
      LIMIT 1
    )
    ORDER BY e.seq
  LOOP
    RETURN NEXT;
  END LOOP;
  -- Also where none of them is left.
  IF NOT FOUND THEN
    RETURN NEXT;
  END IF;
END $$;

-- As before; a state that is apart is put together.
CREATE OR REPLACE FUNCTION {p}set_aside(
  p_user text, p_session text, p_attempt text, p_id text, p_about text,
  p_seq bigint, p_previous text, p_hash text, p_at bigint, p_event text, p_process bigint,
  p_host text, p_version bigint
) RETURNS TABLE (o_holds bigint, o_aside bigint, o_entered bigint) LANGUAGE plpgsql AS $$
DECLARE
  v_taken timestamptz;
  v_head text;
  v_entered bigint := 0;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL THEN
    SELECT hash INTO v_head FROM {p}heads
    WHERE user_id = p_user AND session_id = p_session
    FOR UPDATE;
    v_entered := CASE WHEN v_head IS DISTINCT FROM p_previous THEN 2 ELSE 0 END;
  END IF;
  IF v_taken IS NOT NULL AND v_entered = 0
    AND NOT EXISTS (SELECT 1 FROM {p}aside WHERE id = p_id)
  THEN
    WITH moved AS (
      DELETE FROM {p}states
      WHERE user_id = p_user AND session_id = p_session
        AND (expires_at IS NULL OR expires_at > v_taken)
      RETURNING *
    )
    INSERT INTO {p}aside (
      id, user_id, session_id, about, set_aside_at, version, write_id, schema_version, state_type,
      provider, model, phase, saved_at, saved_by, checksum, metadata, state
    )
    SELECT
      p_id, user_id, session_id, p_about::json, clock_timestamp(), version, write_id,
      schema_version, state_type, provider, model, phase, saved_at, saved_by, checksum, metadata,
      coalesce(state, {p}whole(user_id, session_id))
    FROM moved;
    IF FOUND AND p_seq IS NOT NULL THEN
      PERFORM {p}enter(
        p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_id, p_process, p_host,
        NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 'gone', p_about, '', 0, 0, 0
      );
      v_entered := 1;
    END IF;
  END IF;
  RETURN QUERY
  SELECT (v_taken IS NOT NULL)::int::bigint, count(*), v_entered FROM {p}aside WHERE id = p_id;
END $$;
