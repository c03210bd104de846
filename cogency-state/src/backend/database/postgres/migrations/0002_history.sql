-- What happened to each state: one row for each event, chained by hash. Rows are never changed.
CREATE TABLE {p}history (
  user_id        text COLLATE "C" NOT NULL,
  session_id     text COLLATE "C" NOT NULL,
  seq            bigint           NOT NULL,
  event          text             NOT NULL,
  version        bigint           NOT NULL,
  write_id       text COLLATE "C" NOT NULL,
  at             timestamptz      NOT NULL,
  process        bigint           NOT NULL,
  host           text             NOT NULL,
  actor          text,
  phase          text,
  provider       text,
  model          text,
  state_type     text,
  schema_version text,
  size           bigint           NOT NULL,
  checksum       text,
  -- keyframe: the content is the state. change: what makes it of the version before. gone: there
  -- is none any more. note: it is what it was.
  kind           text             NOT NULL,
  hash           text COLLATE "C" NOT NULL,
  metadata       text,
  content        text             NOT NULL,
  PRIMARY KEY (user_id, session_id, seq)
);

CREATE INDEX ON {p}history (user_id, session_id, version);
CREATE INDEX ON {p}history (user_id, session_id, at);

DO $$ BEGIN
  ALTER TABLE {p}history ALTER COLUMN content SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR syntax_error THEN NULL;
END $$;

-- Where each history stands. It outlives the state.
CREATE TABLE {p}heads (
  user_id        text COLLATE "C" NOT NULL,
  session_id     text COLLATE "C" NOT NULL,
  seq            bigint           NOT NULL,
  hash           text COLLATE "C" NOT NULL,
  at             timestamptz      NOT NULL,
  -- Of the newest state.
  version        bigint           NOT NULL,
  write_id       text COLLATE "C" NOT NULL,
  checksum       text,
  keyframe_bytes bigint           NOT NULL,
  change_bytes   bigint           NOT NULL,
  changes        bigint           NOT NULL,
  -- The last row that was removed by a pruning.
  pruned_seq     bigint           NOT NULL DEFAULT 0,
  pruned_hash    text COLLATE "C",
  PRIMARY KEY (user_id, session_id)
) WITH (fillfactor = 70);


-- Adds an entry to a history, whose head the caller has locked.
CREATE FUNCTION {p}enter(
  p_user text, p_session text, p_seq bigint, p_hash text, p_at bigint, p_event text,
  p_version bigint, p_write_id text, p_process bigint, p_host text, p_actor text, p_phase text,
  p_provider text, p_model text, p_state_type text, p_schema_version text, p_size bigint,
  p_checksum text, p_kind text, p_metadata text, p_content text, p_keyframe_bytes bigint,
  p_change_bytes bigint, p_changes bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_at timestamptz := timestamptz 'epoch' + p_at * interval '1 microsecond';
  v_version bigint := CASE p_kind WHEN 'gone' THEN 0 ELSE p_version END;
BEGIN
  INSERT INTO {p}history (
    user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase, provider,
    model, state_type, schema_version, size, checksum, kind, hash, metadata, content
  ) VALUES (
    p_user, p_session, p_seq, p_event, p_version, p_write_id, v_at, p_process, p_host, p_actor,
    p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_checksum, p_kind,
    p_hash, p_metadata, p_content
  );
  INSERT INTO {p}heads (
    user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes, change_bytes,
    changes
  ) VALUES (
    p_user, p_session, p_seq, p_hash, v_at, v_version, p_write_id, p_checksum, p_keyframe_bytes,
    p_change_bytes, p_changes
  )
  ON CONFLICT (user_id, session_id) DO UPDATE
  SET seq = excluded.seq, hash = excluded.hash, at = excluded.at, version = excluded.version,
      write_id = excluded.write_id, checksum = excluded.checksum,
      keyframe_bytes = excluded.keyframe_bytes, change_bytes = excluded.change_bytes,
      changes = excluded.changes;
END $$;

DROP FUNCTION {p}take(text, text, text, text, bigint, bigint);
-- As before, and where the history stands.
CREATE FUNCTION {p}take(
  p_user text, p_session text, p_attempt text, p_holder text, p_micros bigint, p_look bigint
) RETURNS TABLE (
  o_taken bigint, o_token bigint, o_holder text, o_version bigint, o_write_id text,
  o_schema_version text, o_state_type text, o_metadata text, o_checksum text, o_state text,
  o_now bigint, h_seq bigint, h_hash text, h_at bigint, h_version bigint, h_write_id text,
  h_checksum text, h_keyframe_bytes bigint, h_change_bytes bigint, h_changes bigint,
  h_pruned_seq bigint, h_pruned_hash text
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
  RETURN QUERY
  SELECT
    (l.attempt = p_attempt)::int::bigint, l.token, l.holder,
    s.version, s.write_id, s.schema_version, s.state_type, s.metadata::text, s.checksum,
    s.state::text,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, h.seq, h.hash,
    (extract(epoch FROM h.at) * 1000000)::bigint, h.version, h.write_id, h.checksum,
    h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash
  FROM {p}leases l
  LEFT JOIN {p}states s
    ON p_look = 1 AND l.attempt = p_attempt
    AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  LEFT JOIN {p}heads h
    ON l.attempt = p_attempt AND h.user_id = p_user AND h.session_id = p_session
  WHERE l.user_id = p_user AND l.session_id = p_session;
END $$;

DROP FUNCTION {p}save(
  text, text, text, bigint, bigint, text, bigint, text, text, text, text, text, text, text, bigint,
  text, text, text
);
-- As before, with its entry in the history: all of the last line together, or none.
CREATE FUNCTION {p}save(
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
  v_taken timestamptz;
  v_now timestamptz;
  v_head text;
  v_entered bigint := 0;
  v_saved boolean := false;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  -- Until the end nobody else can take the lease, or save.
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  v_now := clock_timestamp();
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL THEN
    SELECT hash INTO v_head FROM {p}heads
    WHERE user_id = p_user AND session_id = p_session
    FOR UPDATE;
    v_entered := CASE WHEN v_head IS DISTINCT FROM p_previous THEN 2 ELSE 0 END;
  END IF;
  IF v_taken IS NULL OR v_entered = 2 THEN
    NULL;
  ELSIF p_expected_write_id IS NOT NULL THEN
    UPDATE {p}states
    SET version = p_version, write_id = p_write_id, schema_version = p_schema_version,
        state_type = p_state_type, provider = p_provider, model = p_model, phase = p_phase,
        saved_at = v_now, saved_by = p_saved_by,
        expires_at = v_now + p_micros * interval '1 microsecond',
        checksum = p_checksum, metadata = p_metadata::json, state = p_state::json
    WHERE user_id = p_user AND session_id = p_session
      AND version = p_expected_version AND write_id = p_expected_write_id
      AND (expires_at IS NULL OR expires_at > v_taken);
    v_saved := FOUND;
  ELSE
    -- What had expired when the lease was taken makes room for a first save.
    DELETE FROM {p}states
    WHERE user_id = p_user AND session_id = p_session AND expires_at <= v_taken;
    INSERT INTO {p}states (
      user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
      saved_at, saved_by, expires_at, checksum, metadata, state
    ) VALUES (
      p_user, p_session, p_version, p_write_id, p_schema_version, p_state_type, p_provider,
      p_model, p_phase, v_now, p_saved_by, v_now + p_micros * interval '1 microsecond',
      p_checksum, p_metadata::json, p_state::json
    )
    ON CONFLICT DO NOTHING;
    v_saved := FOUND;
  END IF;
  IF v_saved AND p_seq IS NOT NULL THEN
    PERFORM {p}enter(
      p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_write_id, p_process, p_host,
      p_actor, p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_sum, p_kind,
      p_metadata, coalesce(p_content, p_state), p_keyframe_bytes, p_change_bytes, p_changes
    );
    v_entered := 1;
  END IF;
  IF v_saved THEN
    IF p_release = 1 THEN
      DELETE FROM {p}leases
      WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
    END IF;
    RETURN QUERY SELECT 1::bigint, p_version, p_write_id, v_entered;
    RETURN;
  END IF;
  -- It is there already, from an earlier try, or something else is.
  RETURN QUERY
  SELECT (v_taken IS NOT NULL)::int::bigint, s.version, s.write_id, v_entered
  FROM (SELECT 1) one
  LEFT JOIN {p}states s
    ON s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > coalesce(v_taken, v_now));
  DELETE FROM {p}leases
  WHERE p_release = 1 AND user_id = p_user AND session_id = p_session AND attempt = p_attempt
    AND EXISTS (
      SELECT 1 FROM {p}states s
      WHERE s.user_id = p_user AND s.session_id = p_session AND s.write_id = p_write_id
    );
END $$;

DROP FUNCTION {p}delete(text, text, text, text);
CREATE FUNCTION {p}delete(
  p_user text, p_session text, p_attempt text, p_deletion text,
  p_seq bigint, p_previous text, p_hash text, p_at bigint, p_event text, p_process bigint,
  p_host text, p_version bigint
) RETURNS TABLE (o_holds bigint, o_deleted bigint, o_entered bigint) LANGUAGE plpgsql AS $$
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
  IF v_taken IS NOT NULL AND v_entered = 0 THEN
    UPDATE {p}leases
    SET deletion = p_deletion
    WHERE user_id = p_user AND session_id = p_session
      AND EXISTS (
        SELECT 1 FROM {p}states s
        WHERE s.user_id = p_user AND s.session_id = p_session
          AND (s.expires_at IS NULL OR s.expires_at > v_taken)
      );
    IF FOUND AND p_seq IS NOT NULL THEN
      PERFORM {p}enter(
        p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_deletion, p_process, p_host,
        NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 'gone', NULL, '', 0, 0, 0
      );
      v_entered := 1;
    END IF;
    DELETE FROM {p}states WHERE user_id = p_user AND session_id = p_session;
  END IF;
  RETURN QUERY
  SELECT count(*), count(*) FILTER (WHERE deletion = p_deletion), v_entered
  FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
END $$;
