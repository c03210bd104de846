SELECT CAST(@@innodb_flush_log_at_trx_commit = 1 AS SIGNED)
