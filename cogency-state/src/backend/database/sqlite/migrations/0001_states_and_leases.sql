-- Times are UTC as text, such as 2026-01-31 12:00:00.000: SQLite's own functions read them.
CREATE TABLE {p}states (
  user_id        TEXT    NOT NULL COLLATE BINARY,
  session_id     TEXT    NOT NULL COLLATE BINARY,
  version        INTEGER NOT NULL,
  write_id       TEXT    NOT NULL,
  schema_version TEXT    NOT NULL,
  state_type     TEXT,
  provider       TEXT,
  model          TEXT,
  phase          TEXT,
  saved_at       TEXT    NOT NULL,
  saved_by       TEXT    NOT NULL,
  expires_at     TEXT,
  checksum       TEXT,
  metadata       TEXT    NOT NULL,
  -- Last: whoever reads only the other columns need not read through it.
  state          TEXT    NOT NULL,
  PRIMARY KEY (user_id, session_id)
);

CREATE INDEX {p}states_expiring ON {p}states (expires_at) WHERE expires_at IS NOT NULL;

-- Who is at work on a state. A token is greater than any before.
CREATE TABLE {p}leases (
  token      INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    TEXT NOT NULL COLLATE BINARY,
  session_id TEXT NOT NULL COLLATE BINARY,
  attempt    TEXT NOT NULL,
  holder     TEXT NOT NULL,
  taken_at   TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  deletion   TEXT,
  UNIQUE (user_id, session_id)
);
