CREATE TABLE {p}states (
  user_id        text COLLATE "C" NOT NULL,
  session_id     text COLLATE "C" NOT NULL,
  version        bigint           NOT NULL,
  write_id       text COLLATE "C" NOT NULL,
  schema_version text             NOT NULL,
  state_type     text,
  provider       text,
  model          text,
  phase          text,
  saved_at       timestamptz      NOT NULL,
  saved_by       text             NOT NULL,
  expires_at     timestamptz,
  checksum       text,
  metadata       json             NOT NULL,
  -- json keeps the text as it is; jsonb would not.
  state          json             NOT NULL,
  PRIMARY KEY (user_id, session_id)
);

CREATE INDEX ON {p}states (expires_at) WHERE expires_at IS NOT NULL;

-- Where the server was built with it, the faster compression.
DO $$ BEGIN
  ALTER TABLE {p}states ALTER COLUMN state SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR syntax_error THEN NULL;
END $$;

-- Who is at work on a state.
CREATE TABLE {p}leases (
  user_id    text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  attempt    text COLLATE "C" NOT NULL,
  token      bigint           NOT NULL,
  holder     text             NOT NULL,
  taken_at   timestamptz      NOT NULL,
  expires_at timestamptz      NOT NULL,
  deletion   text COLLATE "C",
  PRIMARY KEY (user_id, session_id)
);

-- In a function each statement sees what was committed before it began. In one statement the look
-- at the record would see what was there before the wait for the lease.
CREATE FUNCTION {p}take(
  p_user text, p_session text, p_attempt text, p_holder text, p_micros bigint, p_look bigint
) RETURNS TABLE (
  o_taken bigint, o_token bigint, o_holder text, o_version bigint, o_write_id text,
  o_schema_version text, o_state_type text, o_metadata text, o_checksum text, o_state text
) LANGUAGE plpgsql AS $$
BEGIN
  -- A lease need not be on the disk: a save behind it takes it along.
  PERFORM set_config('synchronous_commit', 'off', true);
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
    s.state::text
  FROM {p}leases l
  LEFT JOIN {p}states s
    ON p_look = 1 AND l.attempt = p_attempt
    AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  WHERE l.user_id = p_user AND l.session_id = p_session;
END $$;

CREATE FUNCTION {p}renew(p_user text, p_session text, p_attempt text, p_micros bigint)
RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  RETURN QUERY
  UPDATE {p}leases
  SET expires_at = clock_timestamp() + p_micros * interval '1 microsecond'
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  RETURNING 1::bigint;
END $$;

CREATE FUNCTION {p}release(p_user text, p_session text, p_attempt text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
END $$;

CREATE FUNCTION {p}save(
  p_user text, p_session text, p_attempt text, p_release bigint, p_expected_version bigint,
  p_expected_write_id text, p_version bigint, p_write_id text, p_schema_version text,
  p_state_type text, p_provider text, p_model text, p_phase text, p_saved_by text,
  p_micros bigint, p_checksum text, p_metadata text, p_state text
) RETURNS TABLE (o_holds bigint, o_version bigint, o_write_id text) LANGUAGE plpgsql AS $$
DECLARE
  v_taken timestamptz;
  v_now timestamptz;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  -- Until the end nobody else can take the lease, or save.
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  v_now := clock_timestamp();
  IF v_taken IS NOT NULL AND p_expected_write_id IS NOT NULL THEN
    UPDATE {p}states
    SET version = p_version, write_id = p_write_id, schema_version = p_schema_version,
        state_type = p_state_type, provider = p_provider, model = p_model, phase = p_phase,
        saved_at = v_now, saved_by = p_saved_by,
        expires_at = v_now + p_micros * interval '1 microsecond',
        checksum = p_checksum, metadata = p_metadata::json, state = p_state::json
    WHERE user_id = p_user AND session_id = p_session
      AND version = p_expected_version AND write_id = p_expected_write_id
      AND (expires_at IS NULL OR expires_at > v_taken);
  ELSIF v_taken IS NOT NULL THEN
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
  END IF;
  RETURN QUERY
  SELECT (v_taken IS NOT NULL)::int::bigint, s.version, s.write_id
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

CREATE FUNCTION {p}delete(p_user text, p_session text, p_attempt text, p_deletion text)
RETURNS TABLE (o_holds bigint, o_deleted bigint) LANGUAGE plpgsql AS $$
DECLARE
  v_taken timestamptz;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_taken IS NOT NULL THEN
    UPDATE {p}leases
    SET deletion = p_deletion
    WHERE user_id = p_user AND session_id = p_session
      AND EXISTS (
        SELECT 1 FROM {p}states s
        WHERE s.user_id = p_user AND s.session_id = p_session
          AND (s.expires_at IS NULL OR s.expires_at > v_taken)
      );
    DELETE FROM {p}states WHERE user_id = p_user AND session_id = p_session;
  END IF;
  RETURN QUERY
  SELECT count(*), count(*) FILTER (WHERE deletion = p_deletion)
  FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
END $$;
