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

CREATE FUNCTION {p}set_aside(
  p_user text, p_session text, p_attempt text, p_id text, p_about text
) RETURNS TABLE (o_holds bigint, o_aside bigint) LANGUAGE plpgsql AS $$
DECLARE
  v_taken timestamptz;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_taken IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {p}aside WHERE id = p_id) THEN
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
  END IF;
  RETURN QUERY
  SELECT (v_taken IS NOT NULL)::int::bigint, count(*) FROM {p}aside WHERE id = p_id;
END $$;

CREATE FUNCTION {p}restore_aside(p_user text, p_session text, p_attempt text, p_id text)
RETURNS TABLE (o_holds bigint, o_aside bigint, o_states bigint) LANGUAGE plpgsql AS $$
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
    END IF;
  END IF;
  RETURN QUERY
  SELECT
    (v_taken IS NOT NULL)::int::bigint,
    (SELECT count(*) FROM {p}aside
     WHERE id = p_id AND user_id = p_user AND session_id = p_session),
    (SELECT count(*) FROM {p}states WHERE user_id = p_user AND session_id = p_session);
END $$;
