//! Whoever edits a history is found out.

use cogency_state::{DatabaseBackend, Error, HistoryBackend, StateBackend as _};

use crate::places::Database;
use crate::{key, lease, save};

/// Five saves, a delete, and one save more.
async fn history(database: &Database) -> DatabaseBackend {
    let backend = database.connect().await;
    let key = key("alice");
    for number in 1..=5 {
        save(&backend, &key, &format!("[{}]", "1,".repeat(20 * number) + "1")).await;
    }
    let last = lease(&backend, &key).await;
    backend.delete_state(&last).await.unwrap();
    backend.release_lease(&last).await.unwrap();
    save(&backend, &key, "\"anew\"").await;
    assert_eq!(backend.verify_history(&key).await.unwrap().entries, 7);
    backend
}

/// Where it is broken; `None` if it is not.
async fn broken_at(backend: &DatabaseBackend) -> Option<u64> {
    match backend.verify_history(&key("alice")).await {
        Ok(_) => None,
        Err(Error::HistoryBroken { sequence, .. }) => Some(sequence),
        Err(error) => panic!("{error:?}"),
    }
}

const ALL: &str = "user_id, session_id, seq, event, version, write_id, at, process, host, actor, \
                   phase, provider, model, state_type, schema_version, size, checksum, kind, hash, \
                   metadata, content";

/// All of the history as it was.
struct Kept<'d>(&'d Database);

impl<'d> Kept<'d> {
    fn of(database: &'d Database) -> Self {
        for table in ["history", "heads"] {
            database.run(&format!("CREATE TABLE {{p}}kept_{table} AS SELECT * FROM {{p}}{table}"));
        }
        Self(database)
    }

    /// Runs SQL, asks where the history is broken, and undoes it.
    async fn without(&self, backend: &DatabaseBackend, sql: &str) -> Option<u64> {
        self.0.run(sql);
        let found = broken_at(backend).await;
        for table in ["history", "heads"] {
            self.0.run(&format!(
                "DELETE FROM {{p}}{table}; INSERT INTO {{p}}{table} SELECT * FROM {{p}}kept_{table}"
            ));
        }
        assert_eq!(broken_at(backend).await, None, "not undone: {sql}");
        found
    }
}

#[tokio::test]
async fn an_entry_that_was_edited_is_found_whatever_its_column() {
    for database in Database::each() {
        let backend = history(&database).await;
        let kept = Kept::of(&database);
        for (column, value) in [
            ("event", "'fork'"),
            ("version", "version + 1"),
            ("write_id", "'b579a460-15b9-41ae-848c-ae8446d3633b'"),
            ("at", "'2001-01-01 00:00:00.000001'"),
            ("process", "process + 1"),
            ("host", "'elsewhere'"),
            ("actor", "'mallory'"),
            ("phase", "'acting'"),
            ("provider", "'other'"),
            ("model", "'other'"),
            ("state_type", "'other'"),
            ("schema_version", "'2.0'"),
            ("size", "size + 1"),
            ("checksum", "'0000000000000000'"),
            ("kind", "'note'"),
            ("kind", "'none'"),
            ("hash", "'0000000000000000000000000000000000000000000000000000000000000001'"),
            ("hash", "'none'"),
            ("metadata", "'{}'"),
            ("content", "'[]'"),
        ] {
            for sequence in [1, 3, 7] {
                let sql =
                    format!("UPDATE {{p}}history SET {column} = {value} WHERE seq = {sequence}");
                let found = kept.without(&backend, &sql).await;
                assert_eq!(found, Some(sequence), "{} {column} of {sequence}", database.name);
            }
        }
    }
}

#[tokio::test]
async fn an_entry_that_was_removed_put_in_or_moved_is_found() {
    for database in Database::each() {
        let backend = history(&database).await;
        let kept = Kept::of(&database);
        let swapped = "UPDATE {p}history SET seq = 100 WHERE seq = 2; \
                       UPDATE {p}history SET seq = 2 WHERE seq = 3; \
                       UPDATE {p}history SET seq = 3 WHERE seq = 100";
        let copied = |seq: &str| {
            format!(
                "INSERT INTO {{p}}history ({ALL}) SELECT {} FROM {{p}}history WHERE seq = 4",
                ALL.replace("seq,", &format!("{seq},"))
            )
        };
        let moved_to =
            |user: &str| format!("UPDATE {{p}}history SET user_id = '{user}' WHERE seq = 4");
        for (sql, due) in [
            ("DELETE FROM {p}history WHERE seq = 1".to_owned(), 1),
            ("DELETE FROM {p}history WHERE seq = 4".to_owned(), 4),
            ("DELETE FROM {p}history WHERE seq = 7".to_owned(), 7),
            ("DELETE FROM {p}history WHERE seq > 3".to_owned(), 4),
            ("DELETE FROM {p}history WHERE seq < 6".to_owned(), 1),
            ("DELETE FROM {p}history".to_owned(), 1),
            (swapped.to_owned(), 2),
            (copied("8"), 8),
            (copied("0"), 1),
            (copied("-5"), 1),
            (moved_to("bob"), 4),
        ] {
            assert_eq!(kept.without(&backend, &sql).await, Some(due), "{} {sql}", database.name);
        }
    }
}

#[tokio::test]
async fn a_head_that_was_edited_or_removed_is_found() {
    for database in Database::each() {
        let backend = history(&database).await;
        let kept = Kept::of(&database);
        for (edit, due) in [
            ("seq = 6", 6),
            ("seq = 8", 8),
            ("hash = '0000000000000000000000000000000000000000000000000000000000000001'", 7),
            ("at = '2001-01-01 00:00:00.000001'", 7),
            ("version = 9", 7),
            ("write_id = 'b579a460-15b9-41ae-848c-ae8446d3633b'", 7),
            ("checksum = '0000000000000000'", 7),
            ("keyframe_bytes = 1", 7),
            ("change_bytes = 1", 7),
            ("changes = 1", 7),
            // As after a pruning that there was not.
            ("pruned_seq = 1, pruned_hash = (SELECT hash FROM {p}history WHERE seq = 1)", 2),
        ] {
            let sql = format!("UPDATE {{p}}heads SET {edit}");
            assert_eq!(kept.without(&backend, &sql).await, Some(due), "{} {edit}", database.name);
        }
        assert_eq!(kept.without(&backend, "DELETE FROM {p}heads").await, Some(1));
        let pruned = "DELETE FROM {p}history WHERE seq = 1; UPDATE {p}heads SET pruned_seq = 1, \
                      pruned_hash = '0000000000000000000000000000000000000000000000000000000000000001'";
        assert_eq!(kept.without(&backend, pruned).await, Some(2), "{}", database.name);
    }
}

/// Whoever also makes the anchor has no entry that tells of it.
#[tokio::test]
async fn a_beginning_that_was_removed_without_a_pruning_is_found() {
    for database in Database::each() {
        let backend = history(&database).await;
        let kept = Kept::of(&database);
        let hash = "(SELECT hash FROM {p}kept_history WHERE seq = 5)";
        let sql = format!(
            "DELETE FROM {{p}}history WHERE seq <= 5; \
             UPDATE {{p}}heads SET pruned_seq = 5, pruned_hash = {hash}"
        );
        assert_eq!(kept.without(&backend, &sql).await, Some(6), "{}", database.name);
    }
}

/// The chain alone cannot tell: what is stored does, and a hash that was kept elsewhere.
#[tokio::test]
async fn a_newest_entry_that_was_dropped_with_the_head_set_back_shows_beside_what_is_stored() {
    for database in Database::each() {
        let backend = history(&database).await;
        let before = backend.verify_history(&key("alice")).await.unwrap();
        let _kept = Kept::of(&database);
        save(&backend, &key("alice"), "\"to be dropped\"").await;
        let whole = backend.verify_history(&key("alice")).await.unwrap();
        assert!(whole.is_current, "{}", database.name);
        database.run(
            "DELETE FROM {p}history WHERE seq = 8; \
             DELETE FROM {p}heads; INSERT INTO {p}heads SELECT * FROM {p}kept_heads",
        );
        let found = backend.verify_history(&key("alice")).await.unwrap();
        assert!(!found.is_current, "{}", database.name);
        assert_eq!(found.hash, before.hash, "{}", database.name);
        assert_ne!(found.hash, whole.hash, "{}", database.name);
    }
}

#[tokio::test]
async fn histories_that_were_swapped_between_keys_are_found() {
    for database in Database::each() {
        let backend = history(&database).await;
        for number in 1..=3 {
            save(&backend, &key("bob"), &number.to_string()).await;
        }
        for table in ["history", "heads"] {
            for (from, to) in [("alice", "nobody"), ("bob", "alice"), ("nobody", "bob")] {
                database.run(&format!(
                    "UPDATE {{p}}{table} SET user_id = '{to}' WHERE user_id = '{from}'"
                ));
            }
        }
        assert_eq!(broken_at(&backend).await, Some(1), "{}", database.name);
        let other = backend.verify_history(&key("bob")).await;
        assert!(matches!(other, Err(Error::HistoryBroken { sequence: 1, .. })), "{other:?}");
    }
}

/// A head that cannot be read is no history to go on from.
#[tokio::test]
async fn a_state_whose_history_cannot_be_read_is_refused_with_a_clear_error() {
    for database in Database::each() {
        let backend = history(&database).await;
        database.run("UPDATE {p}heads SET hash = 'none'");
        let found = backend.verify_history(&key("alice")).await.unwrap_err().to_string();
        assert!(found.contains("a hash is none") && found.contains("see who changed"), "{found}");
    }
}
