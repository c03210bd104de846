-- States that were set aside, as they were.
CREATE TABLE IF NOT EXISTS {p}aside (
  id             CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  user_id        VARBINARY(1024) NOT NULL,
  session_id     VARBINARY(1024) NOT NULL,
  about          LONGTEXT        NOT NULL,
  set_aside_at   DATETIME(6)     NOT NULL,
  version        BIGINT          NOT NULL,
  write_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schema_version VARCHAR(32)     NOT NULL,
  state_type     TEXT,
  provider       TEXT,
  model          TEXT,
  phase          TEXT,
  saved_at       DATETIME(6)     NOT NULL,
  saved_by       TEXT            NOT NULL,
  checksum       CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  metadata       LONGTEXT        NOT NULL,
  state          LONGTEXT        NOT NULL,
  KEY of_key (user_id, session_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

DROP PROCEDURE IF EXISTS {p}set_aside;
-- With its entry in the history: all from `p_seq` on together, or none.
CREATE PROCEDURE {p}set_aside(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_about LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_seq BIGINT, IN p_previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_version BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_entered BIGINT DEFAULT 0;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL THEN
    SELECT hash INTO v_head FROM {p}heads
    WHERE user_id = p_user AND session_id = p_session
    FOR UPDATE;
    SET v_entered = IF(v_head <=> p_previous, 0, 2);
  END IF;
  IF v_taken IS NOT NULL AND v_entered = 0
    AND NOT EXISTS (SELECT 1 FROM {p}aside WHERE id = p_id)
  THEN
    INSERT INTO {p}aside (
      id, user_id, session_id, about, set_aside_at, version, write_id, schema_version, state_type,
      provider, model, phase, saved_at, saved_by, checksum, metadata, state
    )
    SELECT
      p_id, user_id, session_id, p_about, UTC_TIMESTAMP(6), version, write_id, schema_version,
      state_type, provider, model, phase, saved_at, saved_by, checksum, metadata, state
    FROM {p}states
    WHERE user_id = p_user AND session_id = p_session
      AND (expires_at IS NULL OR expires_at > v_taken);
    IF ROW_COUNT() = 1 THEN
      DELETE FROM {p}states WHERE user_id = p_user AND session_id = p_session;
      IF p_seq IS NOT NULL THEN
        CALL {p}enter(
          p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_id, p_process, p_host,
          NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 'gone', p_about, '', 0, 0, 0
        );
        SET v_entered = 1;
      END IF;
    END IF;
  END IF;
  SELECT CAST(v_taken IS NOT NULL AS SIGNED), COUNT(*), v_entered FROM {p}aside WHERE id = p_id;
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}restore_aside;
CREATE PROCEDURE {p}restore_aside(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_seq BIGINT, IN p_previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_actor TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_size BIGINT,
  IN p_sum CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_entered BIGINT DEFAULT 0;
  DECLARE v_version BIGINT;
  DECLARE v_write_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE v_schema_version VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE v_state_type, v_provider, v_model, v_phase TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE v_state LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL THEN
    SELECT hash INTO v_head FROM {p}heads
    WHERE user_id = p_user AND session_id = p_session
    FOR UPDATE;
    SET v_entered = IF(v_head <=> p_previous, 0, 2);
  END IF;
  IF v_taken IS NOT NULL AND v_entered = 0 THEN
    -- What had expired when the lease was taken makes room.
    DELETE FROM {p}states
    WHERE user_id = p_user AND session_id = p_session AND expires_at <= v_taken;
    INSERT INTO {p}states (
      user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
      saved_at, saved_by, checksum, metadata, state
    )
    SELECT
      a.user_id, a.session_id, a.version, a.write_id, a.schema_version, a.state_type, a.provider,
      a.model, a.phase, a.saved_at, a.saved_by, a.checksum, a.metadata, a.state
    FROM {p}aside a
    WHERE a.id = p_id AND a.user_id = p_user AND a.session_id = p_session
      AND NOT EXISTS (
        SELECT 1 FROM {p}states s WHERE s.user_id = p_user AND s.session_id = p_session
      );
    IF ROW_COUNT() = 1 THEN
      DELETE FROM {p}aside WHERE id = p_id;
      IF p_seq IS NOT NULL THEN
        SELECT version, write_id, schema_version, state_type, provider, model, phase, state
        INTO v_version, v_write_id, v_schema_version, v_state_type, v_provider, v_model, v_phase,
          v_state
        FROM {p}states
        WHERE user_id = p_user AND session_id = p_session;
        CALL {p}enter(
          p_user, p_session, p_seq, p_hash, p_at, p_event, v_version, v_write_id, p_process, p_host,
          p_actor, v_phase, v_provider, v_model, v_state_type, v_schema_version, p_size, p_sum,
          'keyframe', p_metadata, v_state, p_size, 0, 0
        );
        SET v_entered = 1;
      END IF;
    END IF;
  END IF;
  SELECT
    CAST(v_taken IS NOT NULL AS SIGNED),
    (SELECT COUNT(*) FROM {p}aside
     WHERE id = p_id AND user_id = p_user AND session_id = p_session),
    (SELECT COUNT(*) FROM {p}states WHERE user_id = p_user AND session_id = p_session),
    v_entered;
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}drop_aside;
CREATE PROCEDURE {p}drop_aside(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DELETE FROM {p}aside WHERE id = p_id AND user_id = p_user AND session_id = p_session;
  SELECT CAST(1 AS SIGNED) FROM DUAL WHERE ROW_COUNT() = 1;
END
