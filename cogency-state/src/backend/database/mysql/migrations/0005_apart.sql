-- A large state is apart: its column is null, and it is what the newest keyframe of its history and
-- the changes behind that make. So a save of it writes what changed.
ALTER TABLE {p}states MODIFY state LONGTEXT;
CREATE INDEX IF NOT EXISTS apart ON {p}states (state(1));

-- Null if it could not be made when it was set aside: then its history has what is left of it.
ALTER TABLE {p}aside MODIFY state LONGTEXT;

-- A version and a time are looked for from the newest entry back: two indexes less to write to.
DROP INDEX IF EXISTS versions ON {p}history;
DROP INDEX IF EXISTS times ON {p}history;

DROP FUNCTION IF EXISTS {p}changed;
-- What a change makes of a state: [from, length] copies bytes, a text is new. One statement with
-- `GROUP_CONCAT` takes many times as long.
CREATE FUNCTION {p}changed(
  p_old LONGBLOB, p_change LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
) RETURNS LONGBLOB DETERMINISTIC CONTAINS SQL SQL SECURITY INVOKER
BEGIN
  DECLARE v_new LONGBLOB DEFAULT '';
  DECLARE v_text LONGBLOB;
  DECLARE v_from, v_length BIGINT;
  DECLARE v_is_over BOOLEAN DEFAULT FALSE;
  DECLARE v_pieces CURSOR FOR
    SELECT p.text, p.start, p.length
    FROM JSON_TABLE(p_change, '$[*]' COLUMNS (
      text LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$',
      start BIGINT PATH '$[0]',
      length BIGINT PATH '$[1]'
    )) p;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET v_is_over = TRUE;
  OPEN v_pieces;
  pieces: LOOP
    FETCH v_pieces INTO v_text, v_from, v_length;
    IF v_is_over THEN
      LEAVE pieces;
    END IF;
    SET v_new =
      CONCAT(v_new, IF(v_text IS NULL, SUBSTRING(p_old, v_from + 1, v_length), v_text));
  END LOOP;
  CLOSE v_pieces;
  RETURN v_new;
END;

DROP FUNCTION IF EXISTS {p}whole;
-- The newest state of a history; null if there is none, or if somebody damaged it.
CREATE FUNCTION {p}whole(p_user VARBINARY(1024), p_session VARBINARY(1024))
RETURNS LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin READS SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_state, v_content LONGBLOB;
  DECLARE v_kind VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE v_first, v_seq, v_due, v_entry_size, v_size BIGINT;
  DECLARE v_is_over BOOLEAN DEFAULT FALSE;
  DECLARE v_entries CURSOR FOR
    SELECT h.seq, h.kind, h.size, h.content
    FROM {p}history h
    WHERE h.user_id = p_user AND h.session_id = p_session AND h.seq >= v_first
    ORDER BY h.seq;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET v_is_over = TRUE;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN NULL;
  SET v_first = (
    SELECT k.seq FROM {p}history k
    WHERE k.user_id = p_user AND k.session_id = p_session AND k.kind IN ('keyframe', 'gone')
    ORDER BY k.seq DESC
    LIMIT 1
  );
  OPEN v_entries;
  entries: LOOP
    FETCH v_entries INTO v_seq, v_kind, v_entry_size, v_content;
    IF v_is_over THEN
      LEAVE entries;
    END IF;
    IF v_seq <> v_due OR v_kind = 'gone' THEN
      RETURN NULL;
    END IF;
    SET v_due = v_seq + 1;
    IF v_kind <> 'note' THEN
      SET v_state = IF(v_kind = 'keyframe', v_content, {p}changed(v_state, v_content));
      SET v_size = v_entry_size;
    END IF;
  END LOOP;
  CLOSE v_entries;
  IF LENGTH(v_state) = v_size AND EXISTS (
    SELECT 1 FROM {p}heads h
    WHERE h.user_id = p_user AND h.session_id = p_session AND h.seq = v_due - 1
  ) THEN
    RETURN CONVERT(v_state USING utf8mb4);
  END IF;
  RETURN NULL;
END;

-- The states as they are now, wherever they stand.
CREATE SQL SECURITY INVOKER VIEW IF NOT EXISTS {p}current AS
SELECT
  user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
  saved_at, saved_by, expires_at, checksum, metadata,
  COALESCE(state, {p}whole(user_id, session_id)) AS state
FROM {p}states;

DROP PROCEDURE IF EXISTS {p}take;
-- As before. A state that the caller knows, by its write id and by whether it is apart, is not
-- given; of another one that is apart more rows tell the entries that make it.
CREATE PROCEDURE {p}take(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_holder TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, IN p_micros BIGINT, IN p_look BIGINT,
  IN p_known CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, IN p_known_apart BIGINT
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

DROP PROCEDURE IF EXISTS {p}set_aside;
-- As before; a state that is apart is put together.
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
END
