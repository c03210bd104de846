//! What queries, archives and histories cost over 100,000 states with ten versions each, on each
//! database, with the plans.
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench many_states
//! COGENCY_STATES=1000000 cargo bench -p cogency-state-tests --bench many_states -- postgres
//! ```
//!
//! Each question is asked some times; the least time is shown.

mod histories;

use std::time::{Duration, Instant};

use cogency_state::archive::Archive;
use cogency_state::query::{Filter, OrderBy, Search, model, saved_at, state, user};
use cogency_state::{DatabaseBackend, StateBackend as _, StateManager};
use cogency_state_tests::database::{DatabaseServer, SqliteFile};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What makes so many states of some 1 KB, one a minute into the past.
const SQLITE: &str = "WITH RECURSIVE numbers(n) AS
   (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n})
 INSERT INTO cogency_states
 SELECT 'user ' || (n % 1000), 'run ' || n, 1,
   printf('00000000-0000-4000-8000-%012d', n), '1.0', NULL, 'openai', 'model ' || (n % 20), NULL,
   strftime('%Y-%m-%d %H:%M:%f', 'now', -n || ' minutes'), 'host:1', NULL, NULL, '{}',
   '{\"stop_reason\":\"' || CASE WHEN n % 100 = 0 THEN 'error' ELSE 'done' END
   || '\",\"turns\":' || (n % 50) || ',\"text\":\"' || substr(hex(randomblob(480)), 1, 940) || '\"}'
 FROM numbers; ANALYZE";
const POSTGRES: &str = "INSERT INTO cogency_states
 SELECT 'user ' || (n % 1000), 'run ' || n, 1,
   '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), '1.0', NULL, 'openai',
   'model ' || (n % 20), NULL, now() - n * interval '1 minute', 'host:1', NULL, NULL, '{}',
   ('{\"stop_reason\":\"' || CASE WHEN n % 100 = 0 THEN 'error' ELSE 'done' END
   || '\",\"turns\":' || (n % 50) || ',\"text\":\"' || repeat(md5(n::text), 29) || '\"}')::json
 FROM generate_series(1, {n}) n; ANALYZE cogency_states";
const MARIADB: &str = "INSERT INTO cogency_states (
   user_id, session_id, version, write_id, schema_version, provider, model, saved_at, saved_by,
   metadata, state)
 SELECT CONCAT('user ', seq % 1000), CONCAT('run ', seq), 1,
   CONCAT('00000000-0000-4000-8000-', LPAD(seq, 12, '0')), '1.0', 'openai',
   CONCAT('model ', seq % 20), UTC_TIMESTAMP(6) - INTERVAL seq MINUTE, 'host:1', '{}',
   CONCAT('{\"stop_reason\":\"', IF(seq % 100 = 0, 'error', 'done'), '\",\"turns\":', seq % 50,
   ',\"text\":\"', REPEAT(MD5(seq), 29), '\"}')
 FROM seq_1_to_{n}; ANALYZE TABLE cogency_states";

#[tokio::main]
async fn main() {
    let states = std::env::var("COGENCY_STATES").map_or(100_000, |n| n.parse().unwrap());
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    if is_wanted("sqlite") {
        let file = SqliteFile::default();
        measure(
            "SQLite",
            &file.url(),
            states,
            |sql| file.run(sql.replace("{n}", &states.to_string())),
            SQLITE,
        )
        .await;
    }
    for (name, make, sql) in [
        ("PostgreSQL", DatabaseServer::postgres as fn() -> DatabaseServer, POSTGRES),
        ("MariaDB", DatabaseServer::mariadb, MARIADB),
    ] {
        if is_wanted(&name.to_lowercase()) {
            let server = make();
            let run = |sql: &str| server.run(sql.replace("{n}", &states.to_string()));
            measure(name, &server.url(), states, run, sql).await;
        }
    }
}

async fn measure(name: &str, url: &str, states: u64, run: impl Fn(&str), sql: &str) {
    let backend = DatabaseBackend::builder(url).index(state("$.stop_reason"));
    let backend = backend.connect().await.unwrap();
    println!("\n# {name}, {states} states of 1 KB");
    let begun = Instant::now();
    run(sql);
    println!("  (made in {:.1?})", begun.elapsed());
    for (question, search) in searches(states) {
        page(&backend, question, &search).await;
    }
    let manager = StateManager::new(backend.clone());
    for (question, filter) in [
        ("count all", Filter::all()),
        ("count a user's", user().eq("user 7")),
        ("count by an indexed path", state("$.stop_reason").eq("error")),
        ("count by a path without an index", state("$.turns").ge(45)),
    ] {
        let query = manager.query().filter(filter);
        let mut least = Duration::MAX;
        let mut count = 0;
        for _ in 0..3 {
            let begun = Instant::now();
            count = query.count().await.unwrap();
            least = least.min(begun.elapsed());
        }
        println!("{question}: {least:.1?}, {count}");
    }
    archive(&manager, states).await;
    histories::measure(name, &backend, states, run).await;
}

fn searches(states: u64) -> Vec<(&'static str, Search)> {
    let now = std::time::SystemTime::now();
    let mut newest = Search::new(Filter::all(), 100);
    newest.order = vec![OrderBy::new(saved_at(), true)];
    let mut old = newest.clone();
    let half = Duration::from_secs(states / 2 * 60);
    old.filter = saved_at().lt(now - half);
    let failed = model().eq("model 0").and(state("$.stop_reason").eq("error"));
    let mut with_states = Search::new(user().eq("user 7"), 50);
    with_states.with_states = true;
    vec![
        ("the first 100 keys", Search::new(Filter::all(), 100)),
        ("the newest 100", newest),
        ("100 before the middle of the time", old),
        ("50 states of a user", with_states),
        ("a model's errors of a week", Search::new(failed.and(saved_at().ge(now - 7 * DAY)), 100)),
        ("100 by an indexed path", Search::new(state("$.stop_reason").eq("error"), 100)),
        ("a rare value without an index", Search::new(state("$.turns").eq(77), 100)),
    ]
}

async fn page(backend: &DatabaseBackend, question: &str, search: &Search) {
    let mut least = Duration::MAX;
    let mut rows = 0;
    for _ in 0..3 {
        let begun = Instant::now();
        rows = backend.find_states(search).await.unwrap().rows.len();
        least = least.min(begun.elapsed());
    }
    println!("{question}: {least:.1?}, {rows} rows");
    for line in backend.explain(search).await.unwrap().iter().flat_map(|plan| plan.lines()) {
        // Of MariaDB's plan what it reads, and how.
        let tells = ["\"key\"", "\"access_type\"", "\"table_name\"", "filesort"];
        let is_json = line.trim_start().starts_with(['"', '{', '}', '[', ']']);
        if !is_json || tells.iter().any(|part| line.contains(part)) {
            println!("    {}", line.chars().take(120).collect::<String>());
        }
    }
}

/// A tenth of them.
async fn archive(manager: &StateManager, states: u64) {
    let folder = SqliteFile::default();
    let archive = Archive::in_folder(folder.folder()).unwrap();
    let untouched = Duration::from_secs(states / 10 * 9 * 60);
    let begun = Instant::now();
    let report = archive.states(manager, untouched).run().await.unwrap();
    let took = begun.elapsed();
    let begun = Instant::now();
    archive.verify().await.unwrap();
    println!(
        "archive a tenth: {took:.1?}, {} states into {} files of {} KB; verified in {:.1?}",
        report.removed,
        report.files,
        report.bytes / 1024,
        begun.elapsed()
    );
}
