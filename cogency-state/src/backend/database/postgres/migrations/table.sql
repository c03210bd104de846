CREATE TABLE IF NOT EXISTS {p}migrations (
  version    bigint      PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
