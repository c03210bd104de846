//! Databases that an earlier version made, with states in them.

use cogency_state::{
    Aside, AsideReason, DatabaseBackend, HistoryBackend, Holder, Moment, Opened, StateBackend as _,
    WriteId,
};

use crate::migrations::migrations;
use crate::places::Database;
use crate::{key, lease, save, write};

/// The migrations of a database's folder with these names, in their order, but for the last.
macro_rules! earlier {
    ($folder:literal, $($file:literal),+) => {
        &[$(include_str!(concat!(
            "../../cogency-state/src/backend/database/", $folder, "/migrations/", $file, ".sql"
        ))),+]
    };
}

const SQLITE: &[&str] = earlier!(
    "sqlite",
    "0001_states_and_leases",
    "0002_history",
    "0003_aside",
    "0004_query_indexes",
    "0005_apart"
);
const POSTGRES: &[&str] = earlier!(
    "postgres",
    "0001_states_and_leases",
    "0002_history",
    "0003_aside",
    "0004_query_indexes",
    "0005_apart",
    "0006_blobs"
);
const MARIADB: &[&str] = earlier!(
    "mysql",
    "0001_states_and_leases",
    "0002_history",
    "0003_aside",
    "0004_query_indexes",
    "0005_apart",
    "0006_blobs",
    "0007_leases_in_memory"
);

/// All of a database's but for the last.
pub(crate) fn earlier(database: &Database) -> &'static [&'static str] {
    match database.name {
        "sqlite" => SQLITE,
        "postgres" => POSTGRES,
        _ => MARIADB,
    }
}

/// What puts together a state that is apart, on SQLite, where it stands in the view.
const WHOLE: &str = include_str!("../../cogency-state/src/backend/database/sqlite/whole.sql");
/// The last version whose states all stood in their rows.
const ALL_WHOLE: usize = 4;

/// A database as its first migrations made it, with a state of each of these users.
pub(crate) fn of_version(version: usize, database: &Database, users: &[&str]) {
    let at = match database.name {
        "sqlite" => "TEXT",
        "postgres" => "timestamptz",
        _ => "DATETIME(6)",
    };
    if let Some(path) = database.url.strip_prefix("sqlite:") {
        std::fs::File::create(path).unwrap();
    }
    database.run(&format!(
        "CREATE TABLE {{p}}migrations (version BIGINT PRIMARY KEY, applied_at {at})"
    ));
    for (nth, migration) in earlier(database).iter().take(version).enumerate() {
        database.run(&migration.replace("{whole}", WHOLE.trim_end()));
        database.run(&format!("INSERT INTO {{p}}migrations (version) VALUES ({})", nth + 1));
    }
    for user in users {
        database.run(&format!(
            "INSERT INTO {{p}}states (user_id, session_id, version, write_id, schema_version, \
             saved_at, saved_by, metadata, state) VALUES ('{user}', 'default', 7, '{}', '1.0', \
             '2026-01-31 12:00:00.000', 'host:1', '{{}}', '[\"{user}\", 1]')",
            WriteId::generate()
        ));
    }
}

#[tokio::test]
async fn states_of_each_earlier_version_are_kept_and_saved_over() {
    for kind in Database::each() {
        for version in 1..=earlier(&kind).len() {
            let database = kind.afresh();
            of_version(version, &database, &["alice"]);
            let backend = database.connect().await;
            let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
            assert_eq!(record.revision.version, 7, "{} {version}", database.name);
            save(&backend, &key("alice"), "[]").await;
            let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
            assert_eq!(record.revision.version, 8, "{} {version}", database.name);
            backend.verify_history(&key("alice")).await.unwrap();
        }
    }
}

#[tokio::test]
async fn states_without_a_history_are_kept_and_get_one_with_their_next_save() {
    for database in Database::each() {
        of_version(1, &database, &["alice", "bob"]);
        let backend = database.connect().await;
        assert_eq!(
            database.number("SELECT MAX(version) FROM {p}migrations"),
            migrations(&database)
        );
        let alice = key("alice");
        let opened = backend.acquire_and_load(&alice, &Holder::current()).await.unwrap();
        let Opened::Acquired { lease, record: Some(record) } = opened else { panic!("{opened:?}") };
        assert_eq!((&*record.state, record.revision.version), (&b"[\"alice\", 1]"[..], 7));
        let next = write(&alice, Some(record.revision), "[\"alice\", 2]")
            .with_replaced(Some(record.state));
        backend.save_and_release(&lease, &next).await.unwrap();
        save(&backend, &alice, "[\"alice\", 3]").await;
        let entries = backend.list_history(&alice, None, 9).await.unwrap();
        let versions: Vec<_> = entries.iter().map(|entry| entry.version).collect();
        assert_eq!(versions, [9, 8], "{}", database.name);
        let found = backend.load_history(&alice, Moment::Version(8)).await.unwrap().unwrap();
        assert_eq!(found, next.record, "{}", database.name);
        backend.verify_history(&alice).await.unwrap();

        // One that is deleted before its next save has an entry of that.
        let bob = key("bob");
        let lease = crate::lease(&backend, &bob).await;
        assert!(backend.delete_state(&lease).await.unwrap());
        let entries = backend.list_history(&bob, None, 9).await.unwrap();
        assert_eq!((entries[0].event.as_str(), entries.len()), ("delete", 1));
        backend.verify_history(&bob).await.unwrap();
    }
}

/// An operator applies what stands behind the last migration that there is.
#[tokio::test]
async fn an_earlier_version_is_upgraded_by_hand() {
    for kind in Database::each() {
        for version in 1..=earlier(&kind).len() {
            let database = kind.afresh();
            of_version(version, &database, &["alice"]);
            let refused = database.builder().never_migrate().connect().await.unwrap_err();
            assert!(refused.to_string().contains(&format!("at version {version}")), "{refused}");
            let sql = database.builder().migrations().unwrap();
            let (_, missing) = sql.split_once(&format!("\n-- {}: ", version + 1)).unwrap();
            let begin = if database.name == "mariadb" { "DELIMITER //\n" } else { "" };
            database.run_by_client(&format!("{begin}-- {missing}"));
            let backend = database.builder().never_migrate().connect().await.unwrap();
            assert!(backend.load_state(&key("alice")).await.unwrap().is_some());
            save(&backend, &key("alice"), "[]").await;
            backend.verify_history(&key("alice")).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_backends_that_meet_an_earlier_version_upgrade_it_once() {
    for database in Database::each() {
        of_version(1, &database, &["alice"]);
        let backends: Vec<_> = (0..10)
            .map(|_| {
                let builder = database.builder();
                tokio::spawn(async move { builder.connect().await.unwrap() })
            })
            .collect();
        for backend in backends {
            assert!(backend.await.unwrap().load_state(&key("alice")).await.unwrap().is_some());
        }
        let applied = database.number("SELECT COUNT(*) FROM {p}migrations");
        assert_eq!(applied, migrations(&database), "{}", database.name);
    }
}

/// SQLite makes the table anew, and the index with it.
#[tokio::test]
async fn an_index_on_a_path_of_the_version_before_is_there_after_the_upgrade() {
    for database in Database::each() {
        of_version(ALL_WHOLE, &database, &["alice"]);
        let (on, declared) = match database.name {
            "sqlite" => ("json_extract(state, '$[0]')", true),
            "postgres" => ("((state -> 0)::text)", false),
            _ => ("state(9)", false),
        };
        database.run(&format!("CREATE INDEX {{p}}states_own ON {{p}}states ({on})"));
        database.run("INSERT INTO {p}indexes (name, path) VALUES ('q', 'state $[0]')");
        drop(database.connect().await);
        let noted = database.number("SELECT COUNT(*) FROM {p}indexes");
        assert_eq!(noted, i64::from(!declared), "{}", database.name);
        let index = cogency_state::query::state("$[0]");
        let backend = database.builder().index(index.clone()).connect().await.unwrap();
        let search = cogency_state::query::Search::new(index.eq("alice"), 9);
        assert_eq!(backend.find_states(&search).await.unwrap().rows.len(), 1);
    }
}

/// What each version keeps, by table: since which version, and its columns.
const KEPT: [(&str, usize, &str); 4] = [
    (
        "states",
        1,
        "user_id, session_id, version, write_id, schema_version, state_type, provider, model, \
         phase, saved_at, saved_by, expires_at, checksum, metadata, state",
    ),
    (
        "history",
        2,
        "user_id, session_id, seq, event, version, write_id, at, process, host, actor, phase, \
         provider, model, state_type, schema_version, size, checksum, kind, hash, metadata, content",
    ),
    (
        "heads",
        2,
        "user_id, session_id, seq, hash, at, version, write_id, checksum, keyframe_bytes, \
         change_bytes, changes, pruned_seq, pruned_hash",
    ),
    (
        "aside",
        3,
        "id, user_id, session_id, about, set_aside_at, version, write_id, schema_version, \
         state_type, provider, model, phase, saved_at, saved_by, checksum, metadata, state",
    ),
];

/// A conversation of alice's that was pruned, a state of bob's that is aside, and carol's, which is
/// gone: what such tables hold is frozen, so this version's are those of an earlier one.
async fn fill(backend: &DatabaseBackend) -> Aside {
    for number in 1..=12 {
        let turns = "\"a turn of some length\",".repeat(number);
        save(backend, &key("alice"), &format!("[{turns}null]")).await;
    }
    backend.prune_history(&key("alice"), cogency_state::Retention::Versions(6)).await.unwrap();
    save(backend, &key("bob"), "\"aside\"").await;
    let held = lease(backend, &key("bob")).await;
    let aside = Aside::new(key("bob"), AsideReason::Corrupt);
    assert!(backend.set_aside(&held, &aside).await.unwrap());
    backend.release_lease(&held).await.unwrap();
    save(backend, &key("carol"), "\"gone\"").await;
    let held = lease(backend, &key("carol")).await;
    assert!(backend.delete_state(&held).await.unwrap());
    backend.release_lease(&held).await.unwrap();
    aside
}

#[tokio::test]
async fn histories_and_what_is_aside_of_each_earlier_version_are_kept_and_gone_on_from() {
    for kind in Database::each() {
        for version in 2..=earlier(&kind).len() {
            let database = kind.afresh();
            of_version(version, &database, &[]);
            let now = format!("now_{}", database.prefix);
            let filled = DatabaseBackend::builder(&database.url).prefix(&now);
            let filled = filled.connect().await.unwrap();
            let aside = fill(&filled).await;
            for (table, _, columns) in KEPT.iter().filter(|(_, since, _)| *since <= version) {
                database.run(&format!(
                    "INSERT INTO {{p}}{table} ({columns}) SELECT {columns} FROM {now}{table}"
                ));
            }
            let backend = database.connect().await;
            let told = format!("{} {version}", database.name);
            are_alike(&backend, &filled, &told).await;
            for user in ["alice", "bob", "carol"] {
                if user == "bob" && version > 2 {
                    let held = lease(&backend, &key(user)).await;
                    assert!(backend.restore_aside(&held, aside.id).await.unwrap(), "{told}");
                    backend.release_lease(&held).await.unwrap();
                }
                save(&backend, &key(user), "\"next\"").await;
                let verified = backend.verify_history(&key(user)).await.unwrap();
                assert!(verified.is_current, "{told} {user}");
            }
        }
    }
}

/// Two databases tell the same.
async fn are_alike(one: &DatabaseBackend, other: &DatabaseBackend, told: &str) {
    for user in ["alice", "bob", "carol"] {
        let key = key(user);
        let (found, due) = (one.load_state(&key).await.unwrap(), other.load_state(&key).await);
        assert_eq!(found, due.unwrap(), "{told} {user}");
        let listed = other.list_history(&key, None, 99).await.unwrap();
        assert_eq!(one.list_history(&key, None, 99).await.unwrap(), listed, "{told} {user}");
        assert!(!listed.is_empty());
        let verified = one.verify_history(&key).await.unwrap();
        assert_eq!(verified.hash, other.verify_history(&key).await.unwrap().hash, "{told} {user}");
        for entry in listed {
            let moment = Moment::Entry(entry.sequence);
            let found = one.load_history(&key, moment).await.unwrap();
            assert_eq!(found, other.load_history(&key, moment).await.unwrap(), "{told} {user}");
        }
    }
}
