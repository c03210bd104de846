-- A lease need not be on the disk, and a table of InnoDB's would make it wait for that. One in memory
-- is not transactional: who looks at a lease and acts upon it has a lock with the key's name until
-- that is committed.
ALTER TABLE {p}leases MODIFY holder VARBINARY(512) NOT NULL;

-- When those leases may be taken that nobody has: at once, or when those who had one before the
-- server was started had time to renew it. Empty with the start of a server, if in memory.
CREATE TABLE IF NOT EXISTS {p}leases_began (
  one     BIGINT      NOT NULL PRIMARY KEY,
  free_at DATETIME(6) NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO {p}leases_began (one, free_at) VALUES (1, '1970-01-01');

-- Who lost a lease to another, which a start of the server must not forget. That is rare, so this may
-- wait for the disk. Nobody works on one call for a day.
CREATE TABLE IF NOT EXISTS {p}leases_lost (
  attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  at      DATETIME(6) NOT NULL
) ENGINE = InnoDB;

-- Procedures are replaced, so that there is always one, which keeps its rights.

-- Others have a key's lock for long. Whoever wants it tries again.
CREATE OR REPLACE PROCEDURE {p}busy() SQL SECURITY INVOKER
  SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205, MESSAGE_TEXT = 'others are at work on the key';

-- When a lease was taken, null if somebody else has it or nobody. Whoever asks has the key's lock.
CREATE OR REPLACE PROCEDURE {p}hold(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, OUT p_taken DATETIME(6)
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_now DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  -- The row is locked where it can be.
  SELECT taken_at INTO p_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  -- Nobody takes a lease yet, so the one of before is that of whoever asks for it.
  IF p_taken IS NULL
    AND NOT EXISTS (SELECT 1 FROM {p}leases_began WHERE free_at <= v_now)
    AND NOT EXISTS (SELECT 1 FROM {p}leases WHERE user_id = p_user AND session_id = p_session)
    AND NOT EXISTS (SELECT 1 FROM {p}leases_lost WHERE attempt = p_attempt)
  THEN
    INSERT INTO {p}leases (user_id, session_id, attempt, token, holder, taken_at, expires_at)
    VALUES (
      p_user, p_session, p_attempt, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), '', v_now,
      v_now + INTERVAL 5 SECOND
    );
    SET p_taken = v_now;
  END IF;
END;

-- As before; but where all leases were lost nobody takes one until those who had them could renew.
CREATE OR REPLACE PROCEDURE {p}take(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_holder TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_micros BIGINT, IN p_look BIGINT,
  IN p_known CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_known_apart BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
taking: BEGIN
  DECLARE v_now DATETIME(6);
  DECLARE v_holder VARBINARY(512) DEFAULT LEFT(p_holder, 512);
  DECLARE v_is_room BOOLEAN DEFAULT FALSE;
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  -- There is no more room in memory: those leases go whose holders died a day ago.
  DECLARE EXIT HANDLER FOR 1114
  BEGIN
    DELETE FROM {p}leases WHERE expires_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY;
    SET v_is_room = ROW_COUNT() > 0;
    DO RELEASE_LOCK(v_one_at_a_time);
    IF NOT v_is_room THEN
      RESIGNAL;
    END IF;
    CALL {p}busy();
  END;
  -- From the look at the clock until the lease is there nobody else takes one, so that tokens grow.
  -- Whoever has the key's lock for long is at work on it.
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    SELECT CAST(0 AS SIGNED), CAST(0 AS SIGNED), '';
    LEAVE taking;
  END IF;
  SET v_now = UTC_TIMESTAMP(6);
  IF EXISTS (
    SELECT 1 FROM {p}leases
    WHERE user_id = p_user AND session_id = p_session AND expires_at <= v_now
      AND attempt <> p_attempt
  ) THEN
    INSERT IGNORE INTO {p}leases_lost (attempt, at)
    SELECT attempt, v_now FROM {p}leases
    WHERE user_id = p_user AND session_id = p_session;
    DELETE FROM {p}leases_lost WHERE at < v_now - INTERVAL 1 DAY;
  END IF;
  INSERT INTO {p}leases (user_id, session_id, attempt, token, holder, taken_at, expires_at)
  SELECT
    p_user, p_session, p_attempt, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), v_holder, v_now,
    v_now + INTERVAL p_micros MICROSECOND
  FROM {p}leases_began b
  WHERE b.free_at <= v_now
  -- From left to right: the last one decides for those before it.
  ON DUPLICATE KEY UPDATE
    token = IF(expires_at <= v_now OR attempt = p_attempt,
               GREATEST(token + 1, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now)), token),
    holder = IF(expires_at <= v_now OR attempt = p_attempt, v_holder, holder),
    taken_at = IF(expires_at <= v_now OR attempt = p_attempt, v_now, taken_at),
    deletion = IF(expires_at <= v_now OR attempt = p_attempt, NULL, deletion),
    attempt = IF(expires_at <= v_now, p_attempt, attempt),
    expires_at = IF(attempt = p_attempt, v_now + INTERVAL p_micros MICROSECOND, expires_at);
  -- The server was started: whoever had a lease before gets it back first.
  IF ROW_COUNT() = 0 AND NOT EXISTS (SELECT 1 FROM {p}leases_began WHERE free_at <= v_now) THEN
    -- Never longer than that from now, also if the server's clock was set back since.
    INSERT INTO {p}leases_began (one, free_at)
    VALUES (1, v_now + INTERVAL p_micros MICROSECOND)
    ON DUPLICATE KEY UPDATE free_at = LEAST(free_at, VALUES(free_at));
    DO RELEASE_LOCK(v_one_at_a_time);
    SELECT CAST(0 AS SIGNED), CAST(0 AS SIGNED), '';
    LEAVE taking;
  END IF;
  DO RELEASE_LOCK(v_one_at_a_time);
  SELECT
    CAST(l.attempt = p_attempt AS SIGNED), l.token, l.holder,
    s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum,
    IF(s.write_id = p_known AND p_known_apart = 0, NULL, s.state),
    CAST(s.state IS NULL AS SIGNED),
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), h.seq, h.hash,
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', h.at), h.version, h.write_id, h.checksum,
    h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash,
    t.seq, t.kind, t.size, t.checksum, t.content
  FROM {p}leases l
  LEFT JOIN {p}states s
    ON p_look = 1 AND l.attempt = p_attempt
    AND s.user_id = p_user AND s.session_id = p_session
    AND (s.expires_at IS NULL OR s.expires_at > l.taken_at)
  LEFT JOIN {p}heads h
    ON l.attempt = p_attempt AND h.user_id = p_user AND h.session_id = p_session
  -- Nothing is equal to null, so nothing is looked for where there is none.
  LEFT JOIN {p}history t
    ON t.user_id = IF(
      s.state IS NULL AND NOT (s.write_id <=> p_known AND p_known_apart = 1), s.user_id, NULL
    )
    AND t.session_id = p_session AND t.seq >= (
      SELECT k.seq FROM {p}history k
      WHERE k.user_id = p_user AND k.session_id = p_session AND k.kind IN ('keyframe', 'gone')
      ORDER BY k.seq DESC
      LIMIT 1
    )
  WHERE l.user_id = p_user AND l.session_id = p_session
  ORDER BY t.seq;
END;

CREATE OR REPLACE PROCEDURE {p}renew(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_micros BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  CALL {p}hold(p_user, p_session, p_attempt, v_taken);
  UPDATE {p}leases
  SET expires_at = UTC_TIMESTAMP(6) + INTERVAL p_micros MICROSECOND
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
  DO RELEASE_LOCK(v_one_at_a_time);
  SELECT CAST(1 AS SIGNED) FROM DUAL WHERE v_taken IS NOT NULL;
END;

-- As before, in fewer statements.
CREATE OR REPLACE PROCEDURE {p}save(
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
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE v_taken, v_now DATETIME(6) DEFAULT NULL;
  DECLARE v_at DATETIME(6) DEFAULT TIMESTAMP'1970-01-01 00:00:00' + INTERVAL p_at MICROSECOND;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_saved, v_entered BIGINT DEFAULT 0;
  -- Each statement that names a parameter is written anew with its value in it, quoted, as its text.
  -- For a large state that takes longer than to save it; a variable of the session is spared that.
  DECLARE v_none BOOLEAN DEFAULT (@cogency_state := p_state) IS NULL;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    DO RELEASE_LOCK(v_one_at_a_time);
    SET @cogency_state = NULL;
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  SELECT l.taken_at, h.hash INTO v_taken, v_head
  FROM {p}leases l
  LEFT JOIN {p}heads h ON h.user_id = p_user AND h.session_id = p_session
  WHERE l.user_id = p_user AND l.session_id = p_session AND l.attempt = p_attempt
  FOR UPDATE;
  -- Nobody's, or one that the server lost.
  IF v_taken IS NULL THEN
    CALL {p}hold(p_user, p_session, p_attempt, v_taken);
    SELECT hash INTO v_head FROM {p}heads
    WHERE user_id = p_user AND session_id = p_session
    FOR UPDATE;
  END IF;
  SET v_now = UTC_TIMESTAMP(6);
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL AND NOT (v_head <=> p_previous) THEN
    SET v_entered = 2;
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
    INSERT INTO {p}history (
      user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase, provider,
      model, state_type, schema_version, size, checksum, kind, hash, metadata, content
    ) VALUES (
      p_user, p_session, p_seq, p_event, p_version, p_write_id, v_at, p_process, p_host, p_actor,
      p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_sum, p_kind,
      p_hash, p_metadata, IFNULL(p_content, @cogency_state)
    );
    IF v_head IS NULL THEN
      INSERT INTO {p}heads (
        user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes,
        change_bytes, changes
      ) VALUES (
        p_user, p_session, p_seq, p_hash, v_at, p_version, p_write_id, p_sum, p_keyframe_bytes,
        p_change_bytes, p_changes
      );
    ELSE
      UPDATE {p}heads
      SET seq = p_seq, hash = p_hash, at = v_at, version = p_version, write_id = p_write_id,
          checksum = p_sum, keyframe_bytes = p_keyframe_bytes, change_bytes = p_change_bytes,
          changes = p_changes
      WHERE user_id = p_user AND session_id = p_session;
    END IF;
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
  DO RELEASE_LOCK(v_one_at_a_time);
END;

CREATE OR REPLACE PROCEDURE {p}delete(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_deletion CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_seq BIGINT, IN p_previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_at BIGINT,
  IN p_event VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_process BIGINT,
  IN p_host TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_version BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_entered BIGINT DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  CALL {p}hold(p_user, p_session, p_attempt, v_taken);
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
  -- What was noted in memory stays where the deletion itself was undone.
  SELECT COUNT(*), COUNT(IF(deletion = p_deletion AND NOT EXISTS (
    SELECT 1 FROM {p}states s WHERE s.user_id = p_user AND s.session_id = p_session
  ), 1, NULL)), v_entered
  FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
  COMMIT;
  DO RELEASE_LOCK(v_one_at_a_time);
END;

CREATE OR REPLACE PROCEDURE {p}set_aside(
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
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE v_head CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL;
  DECLARE v_entered BIGINT DEFAULT 0;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  CALL {p}hold(p_user, p_session, p_attempt, v_taken);
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
      state_type, provider, model, phase, saved_at, saved_by, checksum, metadata,
      COALESCE(state, {p}whole(user_id, session_id))
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
  DO RELEASE_LOCK(v_one_at_a_time);
END;

CREATE OR REPLACE PROCEDURE {p}restore_aside(
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
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
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
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  CALL {p}hold(p_user, p_session, p_attempt, v_taken);
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
  DO RELEASE_LOCK(v_one_at_a_time);
END;

CREATE OR REPLACE PROCEDURE {p}save_blob(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_content LONGBLOB
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  CALL {p}hold(p_user, p_session, p_attempt, v_taken);
  IF v_taken IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM {p}blobs
    WHERE user_id = p_user AND session_id = p_session AND sha256 = p_sha256
  ) THEN
    INSERT INTO {p}blobs (user_id, session_id, sha256, bytes, stored_at, content)
    VALUES (p_user, p_session, p_sha256, LENGTH(p_content), UTC_TIMESTAMP(6), p_content);
  END IF;
  SELECT CAST(1 AS SIGNED) FROM DUAL WHERE v_taken IS NOT NULL;
  COMMIT;
  DO RELEASE_LOCK(v_one_at_a_time);
END;

CREATE OR REPLACE PROCEDURE {p}remove_blob(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_one_at_a_time VARCHAR(64)
    DEFAULT CONCAT('{p}', MD5(CONCAT(DATABASE(), CHAR(0), p_user, CHAR(0), p_session)));
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    ROLLBACK;
    DO RELEASE_LOCK(v_one_at_a_time);
    RESIGNAL;
  END;
  IF NOT IFNULL(GET_LOCK(v_one_at_a_time, 2), 0) THEN
    CALL {p}busy();
  END IF;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  CALL {p}hold(p_user, p_session, p_attempt, v_taken);
  IF v_taken IS NOT NULL THEN
    DELETE FROM {p}blobs
    WHERE user_id = p_user AND session_id = p_session AND sha256 = p_sha256;
  END IF;
  SELECT CAST(1 AS SIGNED) FROM DUAL WHERE v_taken IS NOT NULL;
  COMMIT;
  DO RELEASE_LOCK(v_one_at_a_time);
END;

-- Now that nobody runs the procedures of before, which relied on locks of rows.
--
-- The nodes of a Galera cluster would each have leases of their own, and a replica that was started
-- anew would not find the rows that it is to change: there they stay in InnoDB. Either is right for
-- the procedures.
BEGIN NOT ATOMIC
  -- A server may allow no other engine than one.
  DECLARE CONTINUE HANDLER FOR 1286 BEGIN END;
  IF @@log_bin = 0 AND NOT EXISTS (
    SELECT 1 FROM information_schema.GLOBAL_VARIABLES
    WHERE VARIABLE_NAME = 'WSREP_ON' AND VARIABLE_VALUE = 'ON'
  ) THEN
    ALTER TABLE {p}leases_began ENGINE = MEMORY;
    ALTER TABLE {p}leases ENGINE = MEMORY;
  END IF;
END
