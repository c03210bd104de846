//! States that are apart: their row has none, and their history makes them.

use cogency_state::query::{Filter, Search, state};
use cogency_state::{
    Aside, AsideReason, DatabaseBackend, Error, HistoryBackend as _, Holder, Opened, Record,
    Retention, Revision, StateBackend as _, StateKey,
};

use crate::places::Database;
use crate::{key, lease, write};

/// Few states are larger in tests.
const WHOLE_UP_TO: usize = 64;

async fn connect(database: &Database) -> DatabaseBackend {
    database.builder().whole_up_to(WHOLE_UP_TO).connect().await.unwrap()
}

/// A call that makes another state of whatever is there.
async fn turn(
    backend: &DatabaseBackend,
    key: &StateKey,
    change: impl FnOnce(&str) -> String,
) -> Record {
    let opened = backend.acquire_and_load(key, &Holder::current()).await.unwrap();
    let Opened::Acquired { lease, record } = opened else { panic!("{opened:?}") };
    let before = record.as_ref().map_or(&b""[..], |record| &record.state);
    let json = change(std::str::from_utf8(before).unwrap());
    let expected = record.as_ref().map(|record| record.revision);
    let write = write(key, expected, json).with_replaced(record.map(|record| record.state));
    backend.save_and_release(&lease, &write).await.unwrap();
    write.record
}

/// Another turn of a conversation.
fn said(before: &str, words: &str) -> String {
    match before.strip_suffix("]}") {
        None => format!("{{\"turns\":[\"{words}\"]}}"),
        Some(before) => format!("{before},\"{words}\"]}}"),
    }
}

async fn conversation(backend: &DatabaseBackend, key: &StateKey, turns: usize) -> Record {
    let mut last = None;
    for nth in 0..turns {
        let words = format!("turn {nth} \u{1f916} äöü \\u0000 \\\" {}", "ß".repeat(nth % 30));
        last = Some(turn(backend, key, |before| said(before, &words)).await);
    }
    last.unwrap()
}

/// How many states are apart.
fn apart(database: &Database) -> i64 {
    database.number("SELECT COUNT(*) FROM {p}states WHERE state IS NULL")
}

/// What somebody finds who knows nothing of it.
async fn cold(database: &Database) -> Result<Option<Record>, Error> {
    connect(database).await.load_state(&key("alice")).await
}

fn quoted(database: &Database, record: &Record) -> String {
    let text = std::str::from_utf8(&record.state).unwrap().replace('\'', "''");
    match database.name {
        "mariadb" => format!("'{}'", text.replace('\\', "\\\\")),
        _ => format!("'{text}'"),
    }
}

#[tokio::test]
async fn a_large_state_is_made_of_its_history_and_comes_back_byte_for_byte() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        for turns in 1..=12 {
            let saved = conversation(&backend, &alice, 1).await;
            let is_large = saved.state.len() > WHOLE_UP_TO;
            assert_eq!(apart(&database), i64::from(is_large), "{}, {turns}", database.name);
            let warm = backend.acquire_and_load(&alice, &Holder::current()).await.unwrap();
            let Opened::Acquired { lease, record } = warm else { panic!("{warm:?}") };
            assert_eq!(record.as_ref(), Some(&saved), "{}", database.name);
            backend.release_lease(&lease).await.unwrap();
            assert_eq!(cold(&database).await.unwrap(), Some(saved), "{}", database.name);
        }
        let changes = "SELECT COUNT(*) FROM {p}history WHERE kind = 'change'";
        assert!(database.number(changes) > 5, "{}", database.name);
        assert!(backend.verify_history(&alice).await.unwrap().is_current);
    }
}

#[tokio::test]
async fn whoever_reads_the_tables_finds_it_in_a_view() {
    for database in Database::each() {
        let backend = connect(&database).await;
        let large = conversation(&backend, &key("alice"), 40).await;
        let small = turn(&backend, &key("bob"), |_| "[1]".to_owned()).await;
        let text = if database.name == "postgres" { "state::text" } else { "state" };
        for (user, record) in [("alice", large), ("bob", small)] {
            let sql = format!(
                "SELECT COUNT(*) FROM {{p}}current WHERE user_id = '{user}' AND {text} = {}",
                quoted(&database, &record)
            );
            assert_eq!(database.number(&sql), 1, "{}: {user}", database.name);
        }
    }
}

/// What cannot be sent anew is gone here.
#[tokio::test]
async fn one_that_a_process_knows_is_not_sent_to_it_again() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        conversation(&backend, &alice, 10).await;
        database.run("CREATE TABLE {p}kept AS SELECT * FROM {p}history");
        database.run("DELETE FROM {p}history");
        let warm = backend.acquire_and_load(&alice, &Holder::current()).await.unwrap();
        let Opened::Acquired { lease, record: Some(_) } = warm else { panic!("{warm:?}") };
        backend.release_lease(&lease).await.unwrap();
        assert!(matches!(cold(&database).await, Err(Error::Corrupt { .. })), "{}", database.name);
        database.run("INSERT INTO {p}history SELECT * FROM {p}kept");
        // What others saved is.
        let saved = conversation(&connect(&database).await, &alice, 1).await;
        let warm = backend.acquire_and_load(&alice, &Holder::current()).await.unwrap();
        let Opened::Acquired { record, .. } = warm else { panic!("{warm:?}") };
        assert_eq!(record, Some(saved), "{}", database.name);
    }
}

#[tokio::test]
async fn one_that_is_edited_by_hand_is_what_was_written_and_its_history_goes_on() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        conversation(&backend, &alice, 10).await;
        let edited = format!("{{\"turns\":[\"{}\"]}}", "edited".repeat(20));
        let id = cogency_state::WriteId::generate();
        database.run(&format!(
            "UPDATE {{p}}states SET state = '{edited}', checksum = NULL, write_id = '{id}'"
        ));
        for backend in [&backend, &connect(&database).await] {
            let found = backend.acquire_and_load(&alice, &Holder::current()).await.unwrap();
            let Opened::Acquired { lease, record: Some(record) } = found else {
                panic!("{found:?}")
            };
            assert_eq!(record.state, edited, "{}", database.name);
            backend.release_lease(&lease).await.unwrap();
        }
        let saved = conversation(&backend, &alice, 2).await;
        assert_eq!((apart(&database), cold(&database).await.unwrap()), (1, Some(saved)));
        backend.verify_history(&alice).await.unwrap();
    }
}

#[tokio::test]
async fn one_whose_history_is_damaged_is_refused_and_its_neighbours_are_found() {
    for database in Database::each() {
        let backend = connect(&database).await;
        let newest = "seq = (SELECT MAX(seq) FROM {p}kept WHERE user_id = 'alice')";
        for damage in [
            format!("UPDATE {{p}}history SET content = '[1' WHERE user_id = 'alice' AND {newest}"),
            format!(
                "UPDATE {{p}}history SET content = '[[0,9999999]]' WHERE user_id = 'alice' AND \
                 {newest}"
            ),
            "UPDATE {p}history SET content = '[[0,20],\"\"]' WHERE user_id = 'alice' AND seq = 5"
                .to_owned(),
            "DELETE FROM {p}history WHERE user_id = 'alice' AND seq = 5".to_owned(),
            format!("DELETE FROM {{p}}history WHERE user_id = 'alice' AND {newest}"),
            "DELETE FROM {p}history WHERE user_id = 'alice'".to_owned(),
        ] {
            let (alice, bob) = (conversation(&backend, &key("alice"), 10).await, key("bob"));
            conversation(&backend, &bob, 10).await;
            database.run("CREATE TABLE {p}kept AS SELECT * FROM {p}history");
            database.run(&damage);
            let said = cold(&database).await.unwrap_err();
            assert!(matches!(said, Error::Corrupt { .. }), "{}, {damage}: {said}", database.name);
            let mut search = Search::new(state("$.turns").exists(), 9);
            let found = backend.find_states(&search).await.unwrap();
            let users: Vec<_> = found.rows.into_iter().map(|hit| hit.unwrap().found.key).collect();
            assert_eq!(users, [bob], "{}, {damage}", database.name);
            search.filter = Filter::all();
            search.with_states = true;
            let found = backend.find_states(&search).await.unwrap();
            let rows: Vec<_> = found.rows.into_iter().map(|hit| hit.is_ok()).collect();
            assert_eq!(rows, [false, true], "{}, {damage}", database.name);
            database.run("DELETE FROM {p}history");
            database.run("INSERT INTO {p}history SELECT * FROM {p}kept");
            database.run("DROP TABLE {p}kept");
            assert_eq!(cold(&database).await.unwrap(), Some(alice), "{}", database.name);
        }
    }
}

#[tokio::test]
async fn one_of_another_checksum_than_its_rows_is_refused() {
    for database in Database::each() {
        conversation(&connect(&database).await, &key("alice"), 10).await;
        database.run("UPDATE {p}states SET checksum = '0123456789abcdef'");
        let said = cold(&database).await.unwrap_err();
        assert!(said.to_string().contains("checksum"), "{}: {said}", database.name);
    }
}

#[tokio::test]
async fn one_that_is_set_aside_leaves_its_history_and_comes_back() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        let saved = conversation(&backend, &alice, 10).await;
        let first = lease(&backend, &alice).await;
        let aside = Aside::new(alice.clone(), AsideReason::Llm);
        assert!(backend.set_aside(&first, &aside).await.unwrap());
        assert_eq!(backend.load_state(&alice).await.unwrap(), None);
        // Its history may go.
        backend.prune_history(&alice, Retention::Versions(1)).await.unwrap();
        database.run("DELETE FROM {p}history WHERE kind IN ('keyframe', 'change')");
        let loaded = backend.load_aside(&alice, aside.id).await.unwrap();
        assert_eq!(loaded.as_ref(), Some(&saved), "{}", database.name);
        assert!(backend.restore_aside(&first, aside.id).await.unwrap());
        backend.release_lease(&first).await.unwrap();
        assert_eq!(cold(&database).await.unwrap(), Some(saved), "{}", database.name);
        let next = conversation(&backend, &alice, 1).await;
        assert_eq!((apart(&database), cold(&database).await.unwrap()), (1, Some(next)));
    }
}

#[tokio::test]
async fn one_that_cannot_be_made_is_set_aside_and_not_put_back() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        conversation(&backend, &alice, 10).await;
        database.run("UPDATE {p}history SET content = '[]' WHERE seq = 5");
        let first = lease(&backend, &alice).await;
        let aside = Aside::new(alice.clone(), AsideReason::Corrupt);
        assert!(backend.set_aside(&first, &aside).await.unwrap());
        let said = backend.load_aside(&alice, aside.id).await.unwrap_err();
        assert!(matches!(said, Error::Corrupt { .. }), "{}: {said}", database.name);
        let said = backend.restore_aside(&first, aside.id).await.unwrap_err();
        assert!(matches!(said, Error::Corrupt { .. }), "{}: {said}", database.name);
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}aside"), 1, "{}", database.name);
    }
}

#[tokio::test]
async fn prunings_leave_what_the_newest_is_made_of() {
    for database in Database::each() {
        let builder = database.builder().whole_up_to(WHOLE_UP_TO);
        let backend = builder.history(Retention::Versions(1)).connect().await.unwrap();
        let alice = key("alice");
        for round in 0..30 {
            let anew = format!("[\"{}\"]}}", round.to_string().repeat(90));
            turn(&backend, &alice, |_| anew.replacen('[', "{\"turns\":[", 1)).await;
            let saved = conversation(&backend, &alice, 3).await;
            backend.prune_history(&alice, Retention::Versions(1)).await.unwrap();
            assert_eq!(cold(&database).await.unwrap(), Some(saved), "{}", database.name);
        }
        let entries = backend.list_history(&alice, None, 999).await.unwrap();
        assert!(entries.len() < 90, "{}: {}", database.name, entries.len());
    }
}

#[tokio::test]
async fn one_is_read_and_saved_over_by_programs_that_keep_no_history() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        let saved = conversation(&backend, &alice, 10).await;
        let without = database.builder().without_history().connect().await.unwrap();
        assert_eq!(without.load_state(&alice).await.unwrap(), Some(saved), "{}", database.name);
        let saved = conversation(&without, &alice, 2).await;
        assert_eq!((apart(&database), cold(&database).await.unwrap()), (0, Some(saved)));
        let saved = conversation(&backend, &alice, 2).await;
        assert_eq!((apart(&database), cold(&database).await.unwrap()), (1, Some(saved)));
        backend.verify_history(&alice).await.unwrap();
        let small = turn(&backend, &alice, |_| "[]".to_owned()).await;
        assert_eq!((apart(&database), cold(&database).await.unwrap()), (0, Some(small)));
    }
}

/// Each has a part of the saves before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_one_while_it_is_saved_gets_it_before_or_after_a_save() {
    for database in Database::each() {
        let (backend, alice) = (connect(&database).await, key("alice"));
        conversation(&backend, &alice, 5).await;
        let (saver, of_saver) = (backend.clone(), alice.clone());
        let saving = tokio::spawn(async move { conversation(&saver, &of_saver, 60).await });
        let reader = database.builder().known_bytes(0).connect().await.unwrap();
        let mut search = Search::new(state("$.turns").exists(), 9);
        search.with_states = true;
        let mut last = None::<Revision>;
        while !saving.is_finished() {
            let read = reader.load_state(&alice).await.unwrap().unwrap();
            assert!(last.is_none_or(|last| last.version <= read.revision.version));
            let found = reader.find_states(&search).await.unwrap().rows;
            let [Ok(hit)] = &*found else { panic!("{}: {found:?}", database.name) };
            last = hit.record.as_ref().map(|record| record.revision);
        }
        assert_eq!(cold(&database).await.unwrap(), Some(saving.await.unwrap()));
    }
}
