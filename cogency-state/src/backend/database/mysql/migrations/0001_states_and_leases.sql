-- Ids are bytes, so that they are exact: text that is compared as text would not tell an id from
-- the same with a space behind it. DDL is not undone, so each step may be repeated.
CREATE TABLE IF NOT EXISTS {p}states (
  user_id        VARBINARY(1024) NOT NULL,
  session_id     VARBINARY(1024) NOT NULL,
  version        BIGINT          NOT NULL,
  write_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schema_version VARCHAR(32)     NOT NULL,
  state_type     TEXT,
  provider       TEXT,
  model          TEXT,
  phase          TEXT,
  saved_at       DATETIME(6)     NOT NULL,
  saved_by       TEXT            NOT NULL,
  expires_at     DATETIME(6),
  checksum       CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  metadata       LONGTEXT        NOT NULL,
  state          LONGTEXT        NOT NULL,
  PRIMARY KEY (user_id, session_id),
  KEY expiring (expires_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Who is at work on a state. InnoDB flushes each commit alike, so a lease costs what a save does;
-- a table in memory would be quicker, but the nodes of a Galera cluster would each have their own.
CREATE TABLE IF NOT EXISTS {p}leases (
  user_id    VARBINARY(1024) NOT NULL,
  session_id VARBINARY(1024) NOT NULL,
  attempt    CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  token      BIGINT          NOT NULL,
  holder     TEXT            NOT NULL,
  taken_at   DATETIME(6)     NOT NULL,
  expires_at DATETIME(6)     NOT NULL,
  deletion   CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  PRIMARY KEY (user_id, session_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

DROP PROCEDURE IF EXISTS {p}take;
-- Its statements commit one by one: the look at the record sees what was there when the lease was
-- taken, whatever the isolation level.
CREATE PROCEDURE {p}take(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_holder TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_micros BIGINT, IN p_look BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  INSERT INTO {p}leases (user_id, session_id, attempt, token, holder, taken_at, expires_at)
  VALUES (
    p_user, p_session, p_attempt, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), p_holder,
    v_now, v_now + INTERVAL p_micros MICROSECOND
  )
  -- From left to right: the last one decides for those before it.
  ON DUPLICATE KEY UPDATE
    token = IF(expires_at <= v_now OR attempt = p_attempt,
               GREATEST(token + 1, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now)), token),
    holder = IF(expires_at <= v_now OR attempt = p_attempt, p_holder, holder),
    taken_at = IF(expires_at <= v_now OR attempt = p_attempt, v_now, taken_at),
    deletion = IF(expires_at <= v_now OR attempt = p_attempt, NULL, deletion),
    attempt = IF(expires_at <= v_now, p_attempt, attempt),
    expires_at = IF(attempt = p_attempt, v_now + INTERVAL p_micros MICROSECOND, expires_at);
  SELECT
    CAST(l.attempt = p_attempt AS SIGNED), l.token, l.holder,
    s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum, s.state
  FROM {p}leases l
  LEFT JOIN {p}states s
    ON p_look = 1 AND l.attempt = p_attempt
    AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  WHERE l.user_id = p_user AND l.session_id = p_session;
END;

DROP PROCEDURE IF EXISTS {p}renew;
CREATE PROCEDURE {p}renew(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_micros BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  UPDATE {p}leases
  SET expires_at = UTC_TIMESTAMP(6) + INTERVAL p_micros MICROSECOND
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
  SELECT CAST(1 AS SIGNED) FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
END;

DROP PROCEDURE IF EXISTS {p}save;
CREATE PROCEDURE {p}save(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_release BIGINT,
  IN p_expected_version BIGINT,
  IN p_expected_write_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_version BIGINT, IN p_write_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_schema_version VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_state_type TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_provider TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_model TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_phase TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_saved_by TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_micros BIGINT, IN p_checksum CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_state LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_taken, v_now DATETIME(6) DEFAULT NULL;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET v_taken = NULL;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  -- No gaps are locked: first saves of other keys go on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  -- Until the end nobody else can take the lease, or save.
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  SET v_now = UTC_TIMESTAMP(6);
  IF v_taken IS NOT NULL AND p_expected_write_id IS NOT NULL THEN
    UPDATE {p}states
    SET version = p_version, write_id = p_write_id, schema_version = p_schema_version,
        state_type = p_state_type, provider = p_provider, model = p_model, phase = p_phase,
        saved_at = v_now, saved_by = p_saved_by,
        expires_at = v_now + INTERVAL p_micros MICROSECOND,
        checksum = p_checksum, metadata = p_metadata, state = p_state
    WHERE user_id = p_user AND session_id = p_session
      AND version = p_expected_version AND write_id = p_expected_write_id
      AND (expires_at IS NULL OR expires_at > v_taken);
  ELSEIF v_taken IS NOT NULL THEN
    -- What had expired when the lease was taken makes room for a first save.
    DELETE FROM {p}states
    WHERE user_id = p_user AND session_id = p_session AND expires_at <= v_taken;
    INSERT INTO {p}states (
      user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
      saved_at, saved_by, expires_at, checksum, metadata, state
    )
    SELECT
      p_user, p_session, p_version, p_write_id, p_schema_version, p_state_type, p_provider,
      p_model, p_phase, v_now, p_saved_by, v_now + INTERVAL p_micros MICROSECOND, p_checksum,
      p_metadata, p_state
    FROM DUAL
    WHERE NOT EXISTS (
      SELECT 1 FROM {p}states s WHERE s.user_id = p_user AND s.session_id = p_session
    );
  END IF;
  SELECT CAST(v_taken IS NOT NULL AS SIGNED), s.version, s.write_id
  FROM (SELECT 1) one
  LEFT JOIN {p}states s
    ON s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > COALESCE(v_taken, v_now));
  DELETE FROM {p}leases
  WHERE p_release = 1 AND user_id = p_user AND session_id = p_session AND attempt = p_attempt
    AND EXISTS (
      SELECT 1 FROM {p}states s
      WHERE s.user_id = p_user AND s.session_id = p_session AND s.write_id = p_write_id
    );
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}delete;
CREATE PROCEDURE {p}delete(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_deletion CHAR(36) CHARACTER SET ascii COLLATE ascii_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET v_taken = NULL;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  -- No gaps are locked: first saves of other keys go on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
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
  SELECT COUNT(*), COUNT(IF(deletion = p_deletion, 1, NULL))
  FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}remove_expired;
CREATE PROCEDURE {p}remove_expired() MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DELETE s FROM {p}states s
  WHERE s.expires_at <= v_now
    AND NOT EXISTS (
      SELECT 1 FROM {p}leases l
      WHERE l.user_id = s.user_id AND l.session_id = s.session_id AND l.taken_at < s.expires_at
    );
  SELECT CAST(ROW_COUNT() AS SIGNED);
END
