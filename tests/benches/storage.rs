//! What files, Redis and databases take for a conversation that grows from nothing to 300 KB in 500
//! turns: the states and what belongs to them, against a table that has every version whole.
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench storage
//! cargo bench -p cogency-state-tests --bench storage -- file
//! cargo bench -p cogency-state-tests --bench storage -- redis
//! ```
//!
//! Written: on files and on SQLite, what was given to write calls (as the kernel counts it); else what
//! went to the write-ahead log of a server, on Redis to its append-only file. On the disk: the tables
//! with their indexes; on PostgreSQL after `VACUUM FULL`; grown by: without
//! what they take before the first turn. In memory: what Redis says of all keys.

use cogency_state::{DatabaseBackend, FileBackend, RedisBackend, StateKey, StateManager, robust};
use cogency_state_tests::database::{DatabaseServer, SqliteFile};
use cogency_state_tests::redis::RedisServer;
use serde::{Deserialize, Serialize};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::runtime::Runtime;

const TURNS: u32 = 500;
/// 300 KB in the end.
const LETTERS: usize = 600;

#[derive(Default, Serialize, Deserialize)]
struct Chat {
    turns: Vec<String>,
}

impl Chat {
    /// Of words that no compression foresees, more or less as those of a language.
    fn turn(&mut self) {
        let mut text = String::new();
        while text.len() < LETTERS {
            let word = (0..fastrand::usize(2..9)).map(|_| fastrand::lowercase());
            text.extend(word);
            text.push(' ');
        }
        self.turns.push(text);
    }
}

#[robust(persist = manager)]
async fn call(
    state: &mut Chat,
    manager: &StateManager,
    user_id: &str,
) -> Result<(), cogency_state::Error> {
    state.turn();
    Ok(())
}

/// All turns, through a call each.
async fn by_calls(url: &str) {
    let backend = DatabaseBackend::connect(url).await.expect("connected");
    on(StateManager::new(backend)).await;
}

async fn on(manager: StateManager) {
    for _ in 0..TURNS {
        call(&manager, "alice").await.expect("saved");
    }
    let key = StateKey::for_user("alice").expect("a key");
    let loaded = manager.load_state::<Chat>(&key).await.expect("loaded").expect("there");
    assert_eq!(loaded.state.turns.len(), TURNS as usize);
}

/// All turns, each as a row with all that there is until then.
macro_rules! by_rows {
    ($connection:expr, $create:literal, $insert:literal) => {{
        let mut connection = $connection;
        sqlx::query($create).execute(&mut connection).await.expect("a table");
        let mut chat = Chat::default();
        for turn in 0..TURNS {
            chat.turn();
            let json = serde_json::to_vec(&chat).expect("a chat is JSON");
            let insert = sqlx::query($insert).bind(i64::from(turn)).bind(json);
            insert.execute(&mut connection).await.expect("saved");
        }
        connection.close().await.expect("closed");
    }};
}

fn report(name: &str, what: &str, [calls, rows]: [i64; 2]) {
    let share = 100 * calls / rows.max(1);
    let [calls, rows] = [calls, rows].map(|bytes| format!("{} KB", bytes / 1000));
    println!("{name:<9} {what:<11} calls {calls:>9}   every version {rows:>9}   {share:>3} %");
}

/// What this process gave to write calls until now.
fn given_to_writes() -> i64 {
    let told = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = told.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("a count");
    line.parse().expect("a number")
}

/// Against all versions, each as a file.
fn file() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    // As a program: what is written behind the last save is written at its end.
    let runtime = Runtime::new().expect("a runtime");
    let before = given_to_writes();
    runtime.block_on(on(StateManager::new(FileBackend::new(folder.path()))));
    drop(runtime);
    let written = given_to_writes() - before;
    let own = folder.path().join("alice/default");
    let files = std::fs::read_dir(own).expect("there").map(|file| file.expect("one"));
    let stored: u64 = files.map(|file| file.metadata().expect("there").len()).sum();
    let (mut chat, mut whole) = (Chat::default(), 0);
    for _ in 0..TURNS {
        chat.turn();
        whole += serde_json::to_vec(&chat).expect("a chat is JSON").len();
    }
    let whole = i64::try_from(whole).expect("a length");
    report("file", "written", [written, whole]);
    report("file", "on the disk", [i64::try_from(stored).expect("a length"), whole]);
}

/// Against a key that is set to all that there is until then, at each turn; in memory against one
/// that has it once, as the others do.
fn redis(runtime: &Runtime) {
    let used = [true, false].map(|is_by_calls| {
        // What is appended stays as it was.
        let server = RedisServer::with(&["--auto-aof-rewrite-percentage", "0"]);
        let written = || {
            let info: String = server.run(&["INFO", "persistence"]);
            let line = info.lines().find_map(|line| line.strip_prefix("aof_current_size:"));
            line.expect("a size").trim().parse::<i64>().expect("a number")
        };
        let before = written();
        if is_by_calls {
            let backend = RedisBackend::new(&server.url()).expect("a URL");
            runtime.block_on(on(StateManager::new(backend)));
        } else {
            let mut chat = Chat::default();
            for _ in 0..TURNS {
                chat.turn();
                let json = serde_json::to_string(&chat).expect("a chat is JSON");
                server.run::<()>(&["SET", "state", &json]);
            }
        }
        let names: Vec<String> = server.run(&["KEYS", "*"]);
        let usage = |name: &String| server.run::<i64>(&["MEMORY", "USAGE", name, "SAMPLES", "0"]);
        (written() - before, names.iter().map(usage).sum())
    });
    report("redis", "written", used.map(|(written, _)| written));
    report("redis", "in memory", used.map(|(_, memory)| memory));
}

fn sqlite(runtime: &Runtime) {
    let used = [true, false].map(|is_by_calls| {
        let (file, before) = (SqliteFile::default(), given_to_writes());
        runtime.block_on(async {
            if is_by_calls {
                return by_calls(&file.url()).await;
            }
            let options = SqliteConnectOptions::new().filename(file.path());
            let options = options.create_if_missing(true);
            let connection: SqliteConnection = options.connect().await.expect("connected");
            by_rows!(
                connection,
                "CREATE TABLE versions (version INTEGER PRIMARY KEY, data BLOB NOT NULL)",
                "INSERT INTO versions VALUES ($1, $2)"
            );
        });
        let written = given_to_writes() - before;
        file.run("PRAGMA wal_checkpoint(TRUNCATE)");
        let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        (written, file.number(pages))
    });
    report("sqlite", "written", used.map(|(written, _)| written));
    report("sqlite", "on the disk", used.map(|(_, on_disk)| on_disk));
}

fn postgres(runtime: &Runtime) {
    let used = [true, false].map(|is_by_calls| {
        let server = DatabaseServer::postgres();
        let written = || server.number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint");
        let tables = || {
            server.run("VACUUM FULL");
            server.number(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
                 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            )
        };
        let before = written();
        if is_by_calls {
            // Makes the tables.
            runtime.block_on(DatabaseBackend::connect(&server.url())).expect("connected");
        }
        let made = written() - before;
        let (empty, before) = (tables(), written());
        runtime.block_on(async {
            if is_by_calls {
                return by_calls(&server.url()).await;
            }
            by_rows!(
                PgConnection::connect(&server.url()).await.expect("connected"),
                "CREATE TABLE versions (version bigint PRIMARY KEY, data bytea NOT NULL)",
                "INSERT INTO versions VALUES ($1, $2)"
            );
        });
        (made + written() - before, tables(), empty)
    });
    report("postgres", "written", used.map(|(written, ..)| written));
    report("postgres", "on the disk", used.map(|(_, tables, _)| tables));
    report("postgres", "grown by", used.map(|(_, tables, empty)| tables - empty));
}

fn mariadb(runtime: &Runtime) {
    let used = [true, false].map(|is_by_calls| {
        let server = DatabaseServer::mariadb();
        let written = || {
            server.number(
                "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS \
                 WHERE VARIABLE_NAME = 'INNODB_LSN_CURRENT'",
            )
        };
        let before = written();
        runtime.block_on(async {
            if is_by_calls {
                return by_calls(&server.url()).await;
            }
            by_rows!(
                MySqlConnection::connect(&server.url()).await.expect("connected"),
                "CREATE TABLE versions (version BIGINT PRIMARY KEY, data LONGBLOB NOT NULL)",
                "INSERT INTO versions VALUES (?, ?)"
            );
        });
        let written = written() - before;
        let tables = server.number(
            "SELECT CAST(SUM(FILE_SIZE) AS SIGNED) FROM information_schema.INNODB_SYS_TABLESPACES \
             WHERE NAME LIKE 'cogency/%'",
        );
        (written, tables)
    });
    report("mariadb", "written", used.map(|(written, _)| written));
    report("mariadb", "on the disk", used.map(|(_, tables)| tables));
}

fn main() {
    let is_asked_for = |name| std::env::args().any(|argument| argument == name);
    let runtime = Runtime::new().expect("a runtime");
    if !is_asked_for("redis") {
        file();
    }
    if !is_asked_for("file") {
        redis(&runtime);
    }
    if is_asked_for("file") || is_asked_for("redis") {
        return;
    }
    sqlite(&runtime);
    postgres(&runtime);
    mariadb(&runtime);
}
