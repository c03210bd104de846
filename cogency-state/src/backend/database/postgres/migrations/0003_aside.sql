-- States that were set aside, as they were.
CREATE TABLE {p}aside (
  id             text COLLATE "C" NOT NULL PRIMARY KEY,
  user_id        text COLLATE "C" NOT NULL,
  session_id     text COLLATE "C" NOT NULL,
  about          json             NOT NULL,
  set_aside_at   timestamptz      NOT NULL,
  version        bigint           NOT NULL,
  write_id       text COLLATE "C" NOT NULL,
  schema_version text             NOT NULL,
  state_type     text,
  provider       text,
  model          text,
  phase          text,
  saved_at       timestamptz      NOT NULL,
  saved_by       text             NOT NULL,
  checksum       text,
  metadata       json             NOT NULL,
  state          json             NOT NULL
);

CREATE INDEX ON {p}aside (user_id, session_id);

-- With its entry in the history: all from `p_seq` on together, or none.
CREATE FUNCTION {p}set_aside(
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
      state
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

CREATE FUNCTION {p}restore_aside(
  p_user text, p_session text, p_attempt text, p_id text,
  p_seq bigint, p_previous text, p_hash text, p_at bigint, p_event text, p_process bigint,
  p_host text, p_actor text, p_size bigint, p_sum text, p_metadata text
) RETURNS TABLE (
  o_holds bigint, o_aside bigint, o_states bigint, o_entered bigint
) LANGUAGE plpgsql AS $$
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
    -- What had expired when the lease was taken makes room.
    DELETE FROM {p}states
    WHERE user_id = p_user AND session_id = p_session AND expires_at <= v_taken;
    IF NOT EXISTS (
      SELECT 1 FROM {p}states WHERE user_id = p_user AND session_id = p_session
    ) THEN
      WITH moved AS (
        DELETE FROM {p}aside
        WHERE id = p_id AND user_id = p_user AND session_id = p_session
        RETURNING *
      )
      INSERT INTO {p}states (
        user_id, session_id, version, write_id, schema_version, state_type, provider, model,
        phase, saved_at, saved_by, checksum, metadata, state
      )
      SELECT
        user_id, session_id, version, write_id, schema_version, state_type, provider, model,
        phase, saved_at, saved_by, checksum, metadata, state
      FROM moved;
      IF FOUND AND p_seq IS NOT NULL THEN
        PERFORM {p}enter(
          p_user, p_session, p_seq, p_hash, p_at, p_event, s.version, s.write_id, p_process,
          p_host, p_actor, s.phase, s.provider, s.model, s.state_type, s.schema_version, p_size,
          p_sum, 'keyframe', p_metadata, s.state::text, p_size, 0, 0
        )
        FROM {p}states s
        WHERE s.user_id = p_user AND s.session_id = p_session;
        v_entered := 1;
      END IF;
    END IF;
  END IF;
  RETURN QUERY
  SELECT
    (v_taken IS NOT NULL)::int::bigint,
    (SELECT count(*) FROM {p}aside
     WHERE id = p_id AND user_id = p_user AND session_id = p_session),
    (SELECT count(*) FROM {p}states WHERE user_id = p_user AND session_id = p_session),
    v_entered;
END $$;
