SELECT (current_setting('server_encoding') = 'UTF8')::int::bigint,
       (current_setting('default_transaction_isolation') = 'read committed')::int::bigint
