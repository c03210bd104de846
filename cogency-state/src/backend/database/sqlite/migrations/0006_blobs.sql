-- What states name instead of holding it, once for each key.
CREATE TABLE {p}blobs (
  user_id    TEXT    NOT NULL COLLATE BINARY,
  session_id TEXT    NOT NULL COLLATE BINARY,
  sha256     TEXT    NOT NULL,
  bytes      INTEGER NOT NULL,
  stored_at  TEXT    NOT NULL,
  -- Last: whoever reads only the other columns need not read through it.
  content    BLOB    NOT NULL,
  PRIMARY KEY (user_id, session_id, sha256)
);
