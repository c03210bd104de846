-- What states name instead of holding it, once for each key.
CREATE TABLE {p}blobs (
  user_id    text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  sha256     text COLLATE "C" NOT NULL,
  bytes      bigint           NOT NULL,
  stored_at  timestamptz      NOT NULL,
  content    bytea            NOT NULL,
  PRIMARY KEY (user_id, session_id, sha256)
);

-- Images and the like are compressed already.
ALTER TABLE {p}blobs ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE FUNCTION {p}save_blob(
  p_user text, p_session text, p_attempt text, p_sha256 text, p_content bytea
) RETURNS TABLE (o_holds bigint) LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  PERFORM 1 FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF FOUND THEN
    INSERT INTO {p}blobs (user_id, session_id, sha256, bytes, stored_at, content)
    VALUES (p_user, p_session, p_sha256, length(p_content), clock_timestamp(), p_content)
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 1::bigint;
  END IF;
END $$;

CREATE FUNCTION {p}remove_blob(
  p_user text, p_session text, p_attempt text, p_sha256 text
) RETURNS TABLE (o_holds bigint) LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  PERFORM 1 FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF FOUND THEN
    DELETE FROM {p}blobs
    WHERE user_id = p_user AND session_id = p_session AND sha256 = p_sha256;
    RETURN QUERY SELECT 1::bigint;
  END IF;
END $$;
