CREATE INDEX {p}states_by_session ON {p}states (session_id);
CREATE INDEX {p}states_by_saved_at ON {p}states (saved_at, user_id, session_id);
CREATE INDEX {p}states_by_saved_by ON {p}states (saved_by);
CREATE INDEX {p}states_by_version ON {p}states (version);
CREATE INDEX {p}states_by_state_type ON {p}states (state_type);
CREATE INDEX {p}states_by_provider ON {p}states (provider);
CREATE INDEX {p}states_by_model ON {p}states (model);
CREATE INDEX {p}states_by_phase ON {p}states (phase);

-- The paths that queries have indexes on.
CREATE TABLE {p}indexes (
  name TEXT NOT NULL PRIMARY KEY,
  path TEXT NOT NULL
);
