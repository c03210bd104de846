-- What states name instead of holding it, once for each key.
CREATE TABLE IF NOT EXISTS {p}blobs (
  user_id    VARBINARY(1024) NOT NULL,
  session_id VARBINARY(1024) NOT NULL,
  sha256     CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bytes      BIGINT          NOT NULL,
  stored_at  DATETIME(6)     NOT NULL,
  content    LONGBLOB        NOT NULL,
  PRIMARY KEY (user_id, session_id, sha256)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

DROP PROCEDURE IF EXISTS {p}save_blob;
CREATE PROCEDURE {p}save_blob(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN p_content LONGBLOB
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_holds BIGINT DEFAULT NULL;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  -- No gaps are locked: what happens to other keys goes on.
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  SELECT 1 INTO v_holds FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_holds IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM {p}blobs
    WHERE user_id = p_user AND session_id = p_session AND sha256 = p_sha256
  ) THEN
    INSERT INTO {p}blobs (user_id, session_id, sha256, bytes, stored_at, content)
    VALUES (p_user, p_session, p_sha256, LENGTH(p_content), UTC_TIMESTAMP(6), p_content);
  END IF;
  SELECT v_holds FROM DUAL WHERE v_holds IS NOT NULL;
  COMMIT;
END;

DROP PROCEDURE IF EXISTS {p}remove_blob;
CREATE PROCEDURE {p}remove_blob(
  IN p_user VARBINARY(1024), IN p_session VARBINARY(1024),
  IN p_attempt CHAR(36) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin
) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE v_holds BIGINT DEFAULT NULL;
  -- What is not found stays null.
  DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  START TRANSACTION;
  SELECT 1 INTO v_holds FROM {p}leases
  WHERE user_id = p_user AND session_id = p_session AND attempt = p_attempt
  FOR UPDATE;
  IF v_holds IS NOT NULL THEN
    DELETE FROM {p}blobs
    WHERE user_id = p_user AND session_id = p_session AND sha256 = p_sha256;
  END IF;
  SELECT v_holds FROM DUAL WHERE v_holds IS NOT NULL;
  COMMIT;
END
