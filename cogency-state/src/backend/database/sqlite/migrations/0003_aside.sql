-- States that were set aside, as they were.
CREATE TABLE {p}aside (
  id             TEXT    NOT NULL PRIMARY KEY,
  user_id        TEXT    NOT NULL COLLATE BINARY,
  session_id     TEXT    NOT NULL COLLATE BINARY,
  about          TEXT    NOT NULL,
  set_aside_at   TEXT    NOT NULL,
  version        INTEGER NOT NULL,
  write_id       TEXT    NOT NULL,
  schema_version TEXT    NOT NULL,
  state_type     TEXT,
  provider       TEXT,
  model          TEXT,
  phase          TEXT,
  saved_at       TEXT    NOT NULL,
  saved_by       TEXT    NOT NULL,
  checksum       TEXT,
  metadata       TEXT    NOT NULL,
  state          TEXT    NOT NULL
);

CREATE INDEX {p}aside_of ON {p}aside (user_id, session_id);
