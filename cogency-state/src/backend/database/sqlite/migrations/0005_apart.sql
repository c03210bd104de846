-- A large state is apart: its column is null, and it is what the newest keyframe of its history and
-- the changes behind that make. So a save of it writes what changed. A column that may be null
-- takes a new table.
DROP VIEW IF EXISTS {p}current;
CREATE TABLE {p}states_anew (
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
  state          TEXT,
  PRIMARY KEY (user_id, session_id)
);
INSERT INTO {p}states_anew SELECT * FROM {p}states;
DROP TABLE {p}states;
ALTER TABLE {p}states_anew RENAME TO {p}states;

CREATE INDEX {p}states_expiring ON {p}states (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX {p}states_by_session ON {p}states (session_id);
CREATE INDEX {p}states_by_saved_at ON {p}states (saved_at, user_id, session_id);
CREATE INDEX {p}states_by_saved_by ON {p}states (saved_by);
CREATE INDEX {p}states_by_version ON {p}states (version);
CREATE INDEX {p}states_by_state_type ON {p}states (state_type);
CREATE INDEX {p}states_by_provider ON {p}states (provider);
CREATE INDEX {p}states_by_model ON {p}states (model);
CREATE INDEX {p}states_by_phase ON {p}states (phase);
CREATE INDEX {p}states_apart ON {p}states (user_id, session_id) WHERE state IS NULL;
-- Those on paths went with the table: they are made anew by whoever declares them.
DELETE FROM {p}indexes;

-- Null if it could not be made when it was set aside: then its history has what is left of it.
CREATE TABLE {p}aside_anew (
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
  state          TEXT
);
INSERT INTO {p}aside_anew SELECT * FROM {p}aside;
DROP TABLE {p}aside;
ALTER TABLE {p}aside_anew RENAME TO {p}aside;
CREATE INDEX {p}aside_of ON {p}aside (user_id, session_id);

-- A version and a time are looked for from the newest entry back: two indexes less to write to.
DROP INDEX {p}history_versions;
DROP INDEX {p}history_times;

-- The states as they are now, wherever they stand.
CREATE VIEW {p}current AS
SELECT
  user_id, session_id, version, write_id, schema_version, state_type, provider, model, phase,
  saved_at, saved_by, expires_at, checksum, metadata, coalesce(state, {whole}) AS state
FROM {p}states s
