//! What histories cost among a million entries.

use std::time::{Duration, Instant};

use cogency_state::{
    DatabaseBackend, Moment, Retention, StateBackend as _, StateKey, StateManager,
};

/// Of each state.
const VERSIONS: u64 = 10;
/// What is asked for, in the middle of the others.
const ASKED: &str = "user 7777";

const ENTRY: &str = "seq, event, version, write_id, at, process, host, actor, phase, provider, \
     model, state_type, schema_version, size, checksum, kind, hash, metadata, content";
const HEAD: &str =
    "seq, hash, at, version, write_id, checksum, keyframe_bytes, change_bytes, changes";

/// Copies what one key has, for as many as there are states.
const SQLITE: &str = "WITH RECURSIVE numbers(n) AS
   (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n})
 INSERT INTO {table} (user_id, session_id, {columns})
 SELECT 'user ' || (n % 1000), 'run ' || n, {columns}
 FROM {table}, numbers WHERE user_id = 'user 7777'";
const POSTGRES: &str = "INSERT INTO {table} (user_id, session_id, {columns})
 SELECT 'user ' || (n % 1000), 'run ' || n, {columns}
 FROM {table}, generate_series(1, {n}) n WHERE user_id = 'user 7777'";
const MARIADB: &str = "INSERT INTO {table} (user_id, session_id, {columns})
 SELECT CONCAT('user ', seq_1_to_{n}.seq % 1000), CONCAT('run ', seq_1_to_{n}.seq), {theirs}
 FROM {table} of_one, seq_1_to_{n} WHERE user_id = 'user 7777'";

fn copies(name: &str, table: &str, columns: &str) -> String {
    let sql = match name {
        "SQLite" => SQLITE,
        "PostgreSQL" => POSTGRES,
        _ => MARIADB,
    };
    let theirs = columns.split(", ").map(|column| format!("of_one.{}", column.trim()));
    sql.replace("{table}", table)
        .replace("{theirs}", &theirs.collect::<Vec<_>>().join(", "))
        .replace("{columns}", columns)
}

/// A state of about 1 KB that grows.
fn state(version: u64) -> String {
    "a line of a conversation; ".repeat(40 + usize::try_from(version).unwrap_or(0))
}

async fn grow(manager: &StateManager, key: &StateKey) {
    for version in 1..=VERSIONS {
        let mut call = manager.begin::<String>(key).await.unwrap();
        call.state = state(version);
        call.commit().await.unwrap();
    }
}

pub(crate) async fn measure(
    name: &str,
    backend: &DatabaseBackend,
    states: u64,
    run: impl Fn(&str),
) {
    let manager = StateManager::builder(backend.clone()).warm_bytes(0).build();
    let key = StateKey::for_user(ASKED).unwrap();
    // States that were archived before have an entry of that.
    run("DELETE FROM cogency_history");
    run("DELETE FROM cogency_heads");
    grow(&manager, &key).await;
    let begun = Instant::now();
    run(&copies(name, "cogency_history", ENTRY));
    run(&copies(name, "cogency_heads", HEAD));
    run(if name == "MariaDB" { "ANALYZE TABLE cogency_history, cogency_heads" } else { "ANALYZE" });
    println!("history, {} entries (made in {:.1?})", states * VERSIONS, begun.elapsed());

    let history = manager.history(&key);
    let newest = history.list(None, 1).await.unwrap();
    let (size, at) = (newest[0].size, newest[0].at);
    println!("  of a state of {size} bytes in {VERSIONS} versions:");
    least("a page of 20 entries", async || drop(history.list(None, 20).await.unwrap())).await;
    least("version 5", async || {
        let loaded = history.load::<String>(Moment::Version(5)).await.unwrap().unwrap();
        assert_eq!(loaded.state, state(5));
    })
    .await;
    least("as of a time", async || {
        let loaded = history.load::<String>(Moment::Time(at)).await.unwrap().unwrap();
        assert_eq!(loaded.state, state(VERSIONS));
    })
    .await;
    least("verify", async || assert!(history.verify().await.unwrap().is_current)).await;
    least("prune, with ten saves before it", async || {
        grow(&manager, &key).await;
        history.prune(Retention::Versions(2)).await.unwrap();
    })
    .await;
    let kept = backend.history().unwrap();
    least("a page of 1,000 keys with a history", async || {
        drop(kept.history_keys(None, 1000).await.unwrap());
    })
    .await;
}

async fn least(what: &str, mut ask: impl AsyncFnMut()) {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        ask().await;
        least = least.min(begun.elapsed());
    }
    println!("  {what}: {least:.1?}");
}
