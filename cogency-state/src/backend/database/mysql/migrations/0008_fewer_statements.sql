-- A call runs fewer statements, and such as join and ask for less: on a server whose cores are busy
-- that decides how many calls there are. What the procedures do is what it was.

-- Most leases are taken of keys that nobody has, and most states stand in their rows: that is asked
-- for first, and only what is left as before.
CREATE OR REPLACE PROCEDURE {p}take(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_holder TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_micros BIGINT, IN p_look BIGINT,
  IN p_known CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_known_apart BIGINT
) MODIFIES SQL DATA SQL SECURITY INVOKER
taking: BEGIN
  DECLARE v_now DATETIME(6);
  DECLARE v_holder VARBINARY(512) DEFAULT LEFT(p_holder, 512);
  DECLARE v_is_room, v_is_new, v_ignored BOOLEAN DEFAULT FALSE;
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
  -- Not where the server was just started.
  IF EXISTS (SELECT 1 FROM {p}leases_began WHERE free_at <= v_now) THEN
    INSERT IGNORE INTO {p}leases (
      user_id, session_id, attempt, token, holder, taken_at, expires_at
    ) VALUES (
      p_user, p_session, p_attempt, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), v_holder,
      v_now, v_now + INTERVAL p_micros MICROSECOND
    );
    SET v_is_new = ROW_COUNT() > 0;
  END IF;
  IF NOT v_is_new THEN
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
  END IF;
  -- An assignment takes less than a statement.
  SET v_ignored = RELEASE_LOCK(v_one_at_a_time);
  IF v_is_new AND p_look = 1 THEN
    -- The same columns as below. Without a row it is an empty answer, and the other one follows.
    SELECT
      CAST(1 AS SIGNED), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), '',
      s.version, s.write_id, s.schema_version, s.state_type, s.metadata, s.checksum,
      IF(s.write_id = p_known AND p_known_apart = 0, NULL, s.state),
      CAST(s.state IS NULL AS SIGNED),
      TIMESTAMPDIFF(MICROSECOND, '1970-01-01', v_now), h.seq, h.hash,
      TIMESTAMPDIFF(MICROSECOND, '1970-01-01', h.at), h.version, h.write_id, h.checksum,
      h.keyframe_bytes, h.change_bytes, h.changes, h.pruned_seq, h.pruned_hash,
      NULL, NULL, NULL, NULL, NULL
    FROM {p}states s
    LEFT JOIN {p}heads h ON h.user_id = p_user AND h.session_id = p_session
    WHERE s.user_id = p_user AND s.session_id = p_session
      AND (s.expires_at IS NULL OR s.expires_at > v_now)
      AND (s.state IS NOT NULL OR s.write_id = p_known AND p_known_apart = 1);
    IF FOUND_ROWS() > 0 THEN
      LEAVE taking;
    END IF;
  END IF;
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

-- The head is compared by the statement that changes it.
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
  DECLARE v_taken DATETIME(6) DEFAULT NULL;
  DECLARE v_at DATETIME(6) DEFAULT TIMESTAMP'1970-01-01 00:00:00' + INTERVAL p_at MICROSECOND;
  DECLARE v_saved, v_entered BIGINT DEFAULT 0;
  -- Each statement that names a parameter is written anew with its value in it, quoted, as its text.
  -- For a large state that takes longer than to save it; a variable of the session is spared that.
  DECLARE v_ignored BOOLEAN DEFAULT (@cogency_state := p_state) IS NULL;
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
  -- The row is locked where it can be.
  SELECT taken_at INTO v_taken FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  -- Nobody's, or one that the server lost.
  IF v_taken IS NULL THEN
    CALL {p}hold(p_user, p_session, p_attempt, v_taken);
  END IF;
  IF v_taken IS NOT NULL AND p_seq IS NOT NULL THEN
    IF p_previous IS NULL THEN
      INSERT INTO {p}heads (
        user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes,
        change_bytes, changes
      )
      SELECT
        p_user, p_session, p_seq, p_hash, v_at, p_version, p_write_id, p_sum, p_keyframe_bytes,
        p_change_bytes, p_changes
      FROM DUAL
      WHERE NOT EXISTS (
        SELECT 1 FROM {p}heads h WHERE h.user_id = p_user AND h.session_id = p_session
      );
    ELSE
      UPDATE {p}heads
      SET seq = p_seq, hash = p_hash, at = v_at, version = p_version, write_id = p_write_id,
          checksum = p_sum, keyframe_bytes = p_keyframe_bytes, change_bytes = p_change_bytes,
          changes = p_changes
      WHERE user_id = p_user AND session_id = p_session AND hash = p_previous;
    END IF;
    SET v_entered = IF(ROW_COUNT() > 0, 1, 2);
  END IF;
  IF v_taken IS NOT NULL AND v_entered <> 2 THEN
    IF p_expected_write_id IS NOT NULL THEN
      UPDATE {p}states
      SET version = p_version, write_id = p_write_id, schema_version = p_schema_version,
          state_type = p_state_type, provider = p_provider, model = p_model, phase = p_phase,
          saved_at = UTC_TIMESTAMP(6), saved_by = p_saved_by,
          expires_at = UTC_TIMESTAMP(6) + INTERVAL p_micros MICROSECOND,
          checksum = p_checksum, metadata = p_metadata, state = @cogency_state
      WHERE user_id = p_user AND session_id = p_session
        AND version = p_expected_version AND write_id = p_expected_write_id
        AND (expires_at IS NULL OR expires_at > v_taken);
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
        p_model, p_phase, UTC_TIMESTAMP(6), p_saved_by,
        UTC_TIMESTAMP(6) + INTERVAL p_micros MICROSECOND, p_checksum, p_metadata, @cogency_state
      FROM DUAL
      WHERE NOT EXISTS (
        SELECT 1 FROM {p}states s WHERE s.user_id = p_user AND s.session_id = p_session
      );
    END IF;
    SET v_saved = ROW_COUNT();
  END IF;
  IF v_saved > 0 THEN
    IF v_entered = 1 THEN
      INSERT INTO {p}history (
        user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase,
        provider, model, state_type, schema_version, size, checksum, kind, hash, metadata, content
      ) VALUES (
        p_user, p_session, p_seq, p_event, p_version, p_write_id, v_at, p_process, p_host, p_actor,
        p_phase, p_provider, p_model, p_state_type, p_schema_version, p_size, p_sum, p_kind,
        p_hash, p_metadata, IFNULL(p_content, @cogency_state)
      );
    END IF;
    IF p_release = 1 THEN
      DELETE FROM {p}leases
      WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt;
    END IF;
    SELECT CAST(1 AS SIGNED), p_version, p_write_id, v_entered;
  ELSE
    -- The head is what it was.
    ROLLBACK;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    -- It is there already, from an earlier try, or something else is.
    SELECT
      CAST(v_taken IS NOT NULL AS SIGNED), s.version, s.write_id,
      CAST(IF(v_entered = 2, 2, 0) AS SIGNED)
    FROM (SELECT 1) one
    LEFT JOIN {p}states s
      ON s.user_id = p_user AND s.session_id = p_session
      AND (s.expires_at IS NULL OR s.expires_at > COALESCE(v_taken, UTC_TIMESTAMP(6)));
    DELETE FROM {p}leases
    WHERE p_release = 1 AND user_id = p_user AND session_id = p_session AND attempt = p_attempt
      AND EXISTS (
        SELECT 1 FROM {p}states s
        WHERE s.user_id = p_user AND s.session_id = p_session AND s.write_id = p_write_id
      );
  END IF;
  -- Assignments take less than statements.
  SET v_ignored = (@cogency_state := NULL) IS NULL;
  COMMIT;
  SET v_ignored = RELEASE_LOCK(v_one_at_a_time);
END
