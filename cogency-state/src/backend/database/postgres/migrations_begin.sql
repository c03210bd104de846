BEGIN;
SET LOCAL lock_timeout = '60s';
-- Held until the transaction ends, also behind a pooler that keeps no sessions.
SELECT 1::bigint FROM (SELECT pg_advisory_xact_lock(hashtext('cogency-state {p}'))) AS locked
