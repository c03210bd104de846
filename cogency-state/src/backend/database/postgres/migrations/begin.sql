-- After the wait it has to see what was done meanwhile, whatever the default is.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = '60s';
-- Held until the transaction ends, also behind a pooler that keeps no sessions.
SELECT 1::bigint FROM (SELECT pg_advisory_xact_lock(hashtext('cogency-state {p}'))) AS locked
