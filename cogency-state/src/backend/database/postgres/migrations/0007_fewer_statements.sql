-- A call runs fewer statements: each of them costs about as much as a look at an index. What they do
-- is what it was. (An assignment of a function's value is none.)
CREATE OR REPLACE FUNCTION {p}take(
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
DECLARE
  v_key bigint := hashtextextended(p_user, hashtextextended(p_session, 0));
  v_taken timestamptz;
  v_now timestamptz;
  -- A lease need not be on the disk: a save behind it takes it along.
  v_set text := set_config('synchronous_commit', 'off', true);
BEGIN
  -- From the look at the clock until the lease is there nobody else takes one, so that tokens grow.
  IF NOT pg_try_advisory_xact_lock(v_key) THEN
    PERFORM pg_advisory_xact_lock(v_key);
  END IF;
  v_now := clock_timestamp();
  INSERT INTO {p}leases AS l (user_id, session_id, attempt, token, holder, taken_at, expires_at)
  VALUES (
    p_user, p_session, p_attempt, (extract(epoch FROM v_now) * 1000000)::bigint,
    p_holder, v_now, v_now + p_micros * interval '1 microsecond'
  )
  ON CONFLICT (user_id, session_id) DO UPDATE
  SET attempt = excluded.attempt, token = greatest(excluded.token, l.token + 1),
      holder = excluded.holder, taken_at = clock_timestamp(),
      expires_at = clock_timestamp() + p_micros * interval '1 microsecond', deletion = NULL
  WHERE l.expires_at <= clock_timestamp() OR l.attempt = excluded.attempt
  RETURNING l.token, l.taken_at INTO o_token, v_taken;
  IF NOT FOUND THEN
    -- Whose it is. No row: whoever had it gave it back in just this moment.
    SELECT l.token, l.holder INTO o_token, o_holder
    FROM {p}leases l
    WHERE l.user_id = p_user AND l.session_id = p_session;
    IF FOUND THEN
      o_taken := 0;
      o_apart := 0;
      RETURN NEXT;
    END IF;
    RETURN;
  END IF;
  o_taken := 1;
  o_holder := p_holder;
  SELECT
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
    o_version, o_write_id, o_schema_version, o_state_type, o_metadata, o_checksum, o_state,
    o_apart, o_now, h_seq, h_hash, h_at, h_version, h_write_id, h_checksum, h_keyframe_bytes,
    h_change_bytes, h_changes, h_pruned_seq, h_pruned_hash
  FROM (SELECT 1) one
  LEFT JOIN {p}states s
    ON p_look = 1 AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > v_taken)
  LEFT JOIN {p}heads h ON h.user_id = p_user AND h.session_id = p_session;
  IF o_apart = 0 OR (o_write_id = p_known AND p_known_apart = 1) THEN
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

-- A lease that is given back with the save is removed first, which locks it as well, and is put back if
-- nothing was saved.
CREATE OR REPLACE FUNCTION {p}save(
  p_user text, p_session text, p_attempt text, p_release bigint, p_expected_version bigint,
  p_expected_write_id text, p_version bigint, p_write_id text, p_schema_version text,
  p_state_type text, p_provider text, p_model text, p_phase text, p_saved_by text,
  p_micros bigint, p_checksum text, p_metadata text, p_state text,
  p_seq bigint, p_previous text, p_hash text, p_at bigint, p_event text, p_process bigint,
  p_host text, p_actor text, p_size bigint, p_sum text, p_kind text, p_content text,
  p_keyframe_bytes bigint, p_change_bytes bigint, p_changes bigint
) RETURNS TABLE (
  o_holds bigint, o_version bigint, o_write_id text, o_entered bigint
) LANGUAGE plpgsql AS $$
DECLARE
  v_lease {p}leases;
  v_now timestamptz;
  v_at timestamptz;
  v_saved boolean := false;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  -- Until the end nobody else can take the lease, or save.
  IF p_release = 1 THEN
    DELETE FROM {p}leases
    WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
    RETURNING * INTO v_lease;
  ELSE
    SELECT * INTO v_lease FROM {p}leases
    WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
    FOR UPDATE;
  END IF;
  v_now := clock_timestamp();
  IF v_lease.attempt IS NOT NULL AND p_expected_write_id IS NOT NULL THEN
    UPDATE {p}states
    SET version = p_version, write_id = p_write_id, schema_version = p_schema_version,
        state_type = p_state_type, provider = p_provider, model = p_model, phase = p_phase,
        saved_at = v_now, saved_by = p_saved_by,
        expires_at = v_now + p_micros * interval '1 microsecond',
        checksum = p_checksum, metadata = p_metadata::json, state = p_state::json
    WHERE user_id = p_user AND session_id = p_session
      AND version = p_expected_version AND write_id = p_expected_write_id
      AND (expires_at IS NULL OR expires_at > v_lease.taken_at)
      AND (p_seq IS NULL OR p_previous IS NOT DISTINCT FROM (
        SELECT hash FROM {p}heads WHERE user_id = p_user AND session_id = p_session
      ));
    v_saved := FOUND;
  ELSIF v_lease.attempt IS NOT NULL THEN
    -- What had expired when the lease was taken makes room for a first save.
    DELETE FROM {p}states
    WHERE user_id = p_user AND session_id = p_session AND expires_at <= v_lease.taken_at;
    INSERT INTO {p}states (
      user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
      saved_at, saved_by, expires_at, checksum, metadata, state
    )
    SELECT
      p_user, p_session, p_version, p_write_id, p_schema_version, p_state_type, p_provider,
      p_model, p_phase, v_now, p_saved_by, v_now + p_micros * interval '1 microsecond',
      p_checksum, p_metadata::json, p_state::json
    WHERE p_seq IS NULL OR p_previous IS NOT DISTINCT FROM (
      SELECT hash FROM {p}heads WHERE user_id = p_user AND session_id = p_session
    )
    ON CONFLICT DO NOTHING;
    v_saved := FOUND;
  END IF;
  o_holds := (v_lease.attempt IS NOT NULL)::int;
  o_entered := 0;
  IF v_saved THEN
    IF p_seq IS NOT NULL AND p_previous IS NULL THEN
      PERFORM {p}enter(
        p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_write_id, p_process, p_host,
        p_actor, p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_sum,
        p_kind, p_metadata, coalesce(p_content, p_state), p_keyframe_bytes, p_change_bytes,
        p_changes
      );
      o_entered := 1;
    ELSIF p_seq IS NOT NULL THEN
      v_at := timestamptz 'epoch' + p_at * interval '1 microsecond';
      UPDATE {p}heads
      SET seq = p_seq, hash = p_hash, at = v_at, version = p_version, write_id = p_write_id,
          checksum = p_sum, keyframe_bytes = p_keyframe_bytes, change_bytes = p_change_bytes,
          changes = p_changes
      WHERE user_id = p_user AND session_id = p_session AND hash = p_previous;
      IF NOT FOUND THEN
        -- It was looked at above, and went on since. All of this is undone, and tried again.
        RAISE EXCEPTION 'the history went on meanwhile' USING ERRCODE = 'serialization_failure';
      END IF;
      INSERT INTO {p}history (
        user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase,
        provider, model, state_type, schema_version, size, checksum, kind, hash, metadata, content
      ) VALUES (
        p_user, p_session, p_seq, p_event, p_version, p_write_id, v_at, p_process, p_host, p_actor,
        p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_sum, p_kind,
        p_hash, p_metadata, coalesce(p_content, p_state)
      );
      o_entered := 1;
    END IF;
    o_version := p_version;
    o_write_id := p_write_id;
    RETURN NEXT;
    RETURN;
  END IF;
  -- It is there already, from an earlier try, or something else is.
  SELECT s.version, s.write_id INTO o_version, o_write_id
  FROM {p}states s
  WHERE s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > coalesce(v_lease.taken_at, v_now));
  IF o_holds = 1 AND p_seq IS NOT NULL AND p_previous IS DISTINCT FROM (
    SELECT h.hash FROM {p}heads h WHERE h.user_id = p_user AND h.session_id = p_session
  ) THEN
    o_entered := 2;
  END IF;
  IF o_holds = 1 AND p_release = 1 AND o_write_id IS DISTINCT FROM p_write_id THEN
    -- Nothing was saved: the lease is not over.
    INSERT INTO {p}leases SELECT v_lease.*;
  END IF;
  RETURN NEXT;
END $$;
