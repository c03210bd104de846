-- What happened to each state: one row for each event, chained by hash. Rows are never changed.
CREATE TABLE IF NOT EXISTS {p}history (
  user_id        VARBINARY(1024) NOT NULL,
  session_id     VARBINARY(1024) NOT NULL,
  seq            BIGINT          NOT NULL,
  event          VARCHAR(32)     NOT NULL,
  version        BIGINT          NOT NULL,
  write_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at             DATETIME(6)     NOT NULL,
  process        BIGINT          NOT NULL,
  host           TEXT            NOT NULL,
  actor          TEXT,
  phase          TEXT,
  provider       TEXT,
  model          TEXT,
  state_type     TEXT,
  schema_version VARCHAR(32),
  size           BIGINT          NOT NULL,
  checksum       CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  -- keyframe: the content is the state. change: what makes it of the version before. gone: there
  -- is none any more. note: it is what it was.
  kind           VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  hash           CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  metadata       LONGTEXT,
  content        LONGTEXT        NOT NULL,
  PRIMARY KEY (user_id, session_id, seq),
  KEY versions (user_id, session_id, version),
  KEY times (user_id, session_id, at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Where each history stands. It outlives the state.
CREATE TABLE IF NOT EXISTS {p}heads (
  user_id        VARBINARY(1024) NOT NULL,
  session_id     VARBINARY(1024) NOT NULL,
  seq            BIGINT          NOT NULL,
  hash           CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at             DATETIME(6)     NOT NULL,
  -- Of the newest state.
  version        BIGINT          NOT NULL,
  write_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  checksum       CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  keyframe_bytes BIGINT          NOT NULL,
  change_bytes   BIGINT          NOT NULL,
  changes        BIGINT          NOT NULL,
  -- The last row that was removed by a pruning.
  pruned_seq     BIGINT          NOT NULL DEFAULT 0,
  pruned_hash    CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  PRIMARY KEY (user_id, session_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

DROP PROCEDURE IF EXISTS {p}enter;
-- Adds an entry to a history, whose head the caller has locked. Without a content of its own it
-- keeps `@cogency_state`.
CREATE PROCEDURE {p}enter(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024), IN p_seq BIGINT,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_version BIGINT,
  IN p_write_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_actor TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_phase TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_provider TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_model TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_state_type TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_schema_version VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_size BIGINT,
  IN p_checksum CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_kind VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_content LONGBLOB,
  IN p_keyframe_bytes BIGINT, IN p_change_bytes BIGINT, IN p_changes BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT TIMESTAMP'1970-01-01 00:00:00' + INTERVAL p_at MICROSECOND;
  DECLARE v_version BIGINT DEFAULT IF(p_kind = 'gone', 0, p_version);
  INSERT INTO {p}history (
    user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase, provider,
    model, state_type, schema_version, size, checksum, kind, hash, metadata, content
  ) VALUES (
    p_user, p_session, p_seq, p_event, p_version, p_write_id, v_at, p_process, p_host, p_actor,
    p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_checksum, p_kind,
    p_hash, p_metadata, IFNULL(p_content, @cogency_state)
  );
  INSERT INTO {p}heads (
    user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes, change_bytes,
    changes
  ) VALUES (
    p_user, p_session, p_seq, p_hash, v_at, v_version, p_write_id, p_checksum, p_keyframe_bytes,
    p_change_bytes, p_changes
  )
  ON DUPLICATE KEY UPDATE
    seq = p_seq, hash = p_hash, at = v_at, version = v_version, write_id = p_write_id,
    checksum = p_checksum, keyframe_bytes = p_keyframe_bytes, change_bytes = p_change_bytes,
    changes = p_changes;
END;

DROP PROCEDURE IF EXISTS {p}take;
-- As before, and where the history stands.
CREATE PROCEDURE {p}take(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_holder TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_micros BIGINT, IN p_look BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_now DATETIME(6);
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(p_user, CHAR(0), p_session)));
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  -- From the look at the clock until the lease is there nobody else takes one, so that tokens grow.
  DO GET_LOCK(v_one_at_a_time, 5);
  SET v_now = UTC_TIMESTAMP(6);
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
  DO RELEASE_LOCK(v_one_at_a_time);
  SELECT
    CAST(l.attempt = p_attempt AS SIGNED), l.token, l.holder,
    s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum, s.state,
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), h.seq, h.hash,
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', h.at), h.version, h.write_id, h.checksum,
    h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash
  FROM {p}leases l
  LEFT JOIN {p}states s
    ON p_look = 1 AND l.attempt = p_attempt
    AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  LEFT JOIN {p}heads h
    ON l.attempt = p_attempt AND h.user_id = p_user AND h.session_id = p_session
  WHERE l.user_id = p_user AND l.session_id = p_session;
END;

DROP PROCEDURE IF EXISTS {p}save;
-- As before, with its entry in the history: all of the last lines together, or none.
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
  IN p_state LONGBLOB,
  IN p_seq BIGINT, IN p_previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  IN p_actor TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_size BIGINT,
  IN p_sum CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_kind VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_content LONGBLOB,
  IN p_keyframe_bytes BIGINT, IN p_change_bytes BIGINT, IN p_changes BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_taken, v_now DATETIME(6) DEFAULT NULL;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_saved, v_entered BIGINT DEFAULT 0;
  -- Each statement that names a parameter is written anew with its value in it, quoted, as its text.
  -- For a large state that takes longer than to save it; a variable of the session is spared that.
  DECLARE v_none BOOLEAN DEFAULT (@cogency_state := p_state) IS NULL;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    SET @cogency_state = NULL;
    RESIGNAL;
  END;
  -- No gaps are locked: first saves of other keys go on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  -- Until the end nobody else can take the lease, or save.
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  SET v_now = UTC_TIMESTAMP(6);
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL THEN
    SELECT hash INTO v_head FROM {p}heads
    WHERE user_id = p_user AND session_id = p_session
    FOR UPDATE;
    SET v_entered = IF(v_head <=> p_previous, 0, 2);
  END IF;
  IF v_taken IS NULL OR v_entered = 2 THEN
    SET v_saved = 0;
  ELSEIF p_expected_write_id IS NOT NULL THEN
    UPDATE {p}states
    SET version = p_version, write_id = p_write_id, schema_version = p_schema_version,
        state_type = p_state_type, provider = p_provider, model = p_model, phase = p_phase,
        saved_at = v_now, saved_by = p_saved_by,
        expires_at = v_now + INTERVAL p_micros MICROSECOND,
        checksum = p_checksum, metadata = p_metadata, state = @cogency_state
    WHERE user_id = p_user AND session_id = p_session
      AND version = p_expected_version AND write_id = p_expected_write_id
      AND (expires_at IS NULL OR expires_at > v_taken);
    SET v_saved = ROW_COUNT();
  ELSE
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
      p_metadata, @cogency_state
    FROM DUAL
    WHERE NOT EXISTS (
      SELECT 1 FROM {p}states s WHERE s.user_id = p_user AND s.session_id = p_session
    );
    SET v_saved = ROW_COUNT();
  END IF;
  IF v_saved > 0 AND p_seq IS NOT NULL THEN
    CALL {p}enter(
      p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_write_id, p_process, p_host,
      p_actor, p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_sum, p_kind,
      p_metadata, p_content, p_keyframe_bytes, p_change_bytes, p_changes
    );
    SET v_entered = 1;
  END IF;
  IF v_saved > 0 THEN
    IF p_release = 1 THEN
      DELETE FROM {p}leases
      WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
    END IF;
    SELECT CAST(1 AS SIGNED), p_version, p_write_id, v_entered;
  ELSE
    -- It is there already, from an earlier try, or something else is.
    SELECT CAST(v_taken IS NOT NULL AS SIGNED), s.version, s.write_id, v_entered
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
  END IF;
  SET @cogency_state = NULL;
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}delete;
CREATE PROCEDURE {p}delete(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_deletion CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_seq BIGINT, IN p_previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_version BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_entered BIGINT DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  -- No gaps are locked: first saves of other keys go on.
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
    UPDATE {p}leases
    SET deletion = p_deletion
    WHERE user_id = p_user AND session_id = p_session
      AND EXISTS (
        SELECT 1 FROM {p}states s
        WHERE s.user_id = p_user AND s.session_id = p_session
          AND (s.expires_at IS NULL OR s.expires_at > v_taken)
      );
    IF ROW_COUNT() > 0 AND p_seq IS NOT NULL THEN
      CALL {p}enter(
        p_user, p_session, p_seq, p_hash, p_at, p_event, p_version, p_deletion, p_process, p_host,
        NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 'gone', NULL, '', 0, 0, 0
      );
      SET v_entered = 1;
    END IF;
    DELETE FROM {p}states WHERE user_id = p_user AND session_id = p_session;
  END IF;
  SELECT COUNT(*), COUNT(IF(deletion = p_deletion, 1, NULL)), v_entered
  FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}prune;
CREATE PROCEDURE {p}prune(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024), IN p_through BIGINT,
  IN p_through_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_seq BIGINT,
  IN p_previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_version BIGINT,
  IN p_write_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_content LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_at DATETIME(6) DEFAULT TIMESTAMP'1970-01-01 00:00:00' + INTERVAL p_at MICROSECOND;
  DECLARE v_pruned BIGINT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  UPDATE {p}heads
  SET seq = p_seq, hash = p_hash, at = v_at, pruned_seq = p_through, pruned_hash = p_through_hash
  WHERE user_id = p_user AND session_id = p_session AND hash = p_previous;
  SET v_pruned = ROW_COUNT();
  IF v_pruned > 0 THEN
    INSERT INTO {p}history (
      user_id, session_id, seq, event, version, write_id, at, process, host, size, kind, hash,
      content
    ) VALUES (
      p_user, p_session, p_seq, p_event, p_version, p_write_id, v_at, p_process, p_host, 0, 'note',
      p_hash, p_content
    );
    DELETE FROM {p}history
    WHERE user_id = p_user AND session_id = p_session AND seq <= p_through;
  END IF;
  SELECT v_pruned;
  COMMIT;
END
