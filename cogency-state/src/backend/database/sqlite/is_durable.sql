SELECT journal_mode = 'wal' FROM pragma_journal_mode
