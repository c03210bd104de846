CREATE INDEX IF NOT EXISTS by_session ON {p}states (session_id);
CREATE INDEX IF NOT EXISTS by_saved_at ON {p}states (saved_at);
CREATE INDEX IF NOT EXISTS by_saved_by ON {p}states (saved_by(200));
CREATE INDEX IF NOT EXISTS by_version ON {p}states (version);
CREATE INDEX IF NOT EXISTS by_state_type ON {p}states (state_type(200));
CREATE INDEX IF NOT EXISTS by_provider ON {p}states (provider(200));
CREATE INDEX IF NOT EXISTS by_model ON {p}states (model(200));
CREATE INDEX IF NOT EXISTS by_phase ON {p}states (phase(200));

-- The paths that queries have indexes on.
CREATE TABLE IF NOT EXISTS {p}indexes (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  path TEXT        NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
