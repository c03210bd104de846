-- What happened to each state: one row for each event, chained by hash. Rows are never changed.
CREATE TABLE {p}history (
  user_id        TEXT    NOT NULL COLLATE BINARY,
  session_id     TEXT    NOT NULL COLLATE BINARY,
  seq            INTEGER NOT NULL,
  event          TEXT    NOT NULL,
  version        INTEGER NOT NULL,
  write_id       TEXT    NOT NULL,
  at             TEXT    NOT NULL,
  process        INTEGER NOT NULL,
  host           TEXT    NOT NULL,
  actor          TEXT,
  phase          TEXT,
  provider       TEXT,
  model          TEXT,
  state_type     TEXT,
  schema_version TEXT,
  size           INTEGER NOT NULL,
  checksum       TEXT,
  -- keyframe: the content is the state. change: what makes it of the version before. gone: there
  -- is none any more. note: it is what it was.
  kind           TEXT    NOT NULL,
  hash           TEXT    NOT NULL,
  metadata       TEXT,
  content        TEXT    NOT NULL,
  PRIMARY KEY (user_id, session_id, seq)
);

CREATE INDEX {p}history_versions ON {p}history (user_id, session_id, version);
CREATE INDEX {p}history_times ON {p}history (user_id, session_id, at);

-- Where each history stands. It outlives the state.
CREATE TABLE {p}heads (
  user_id        TEXT    NOT NULL COLLATE BINARY,
  session_id     TEXT    NOT NULL COLLATE BINARY,
  seq            INTEGER NOT NULL,
  hash           TEXT    NOT NULL,
  at             TEXT    NOT NULL,
  -- Of the newest state.
  version        INTEGER NOT NULL,
  write_id       TEXT    NOT NULL,
  checksum       TEXT,
  keyframe_bytes INTEGER NOT NULL,
  change_bytes   INTEGER NOT NULL,
  changes        INTEGER NOT NULL,
  -- The last row that was removed by a pruning.
  pruned_seq     INTEGER NOT NULL DEFAULT 0,
  pruned_hash    TEXT,
  PRIMARY KEY (user_id, session_id)
);
