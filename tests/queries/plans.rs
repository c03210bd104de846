//! Indexes are used where there is enough to look through.

use std::time::{Duration, SystemTime};

use cogency_state::query::{
    Field, Filter, Search, expires_at, metadata, model, phase, provider, saved_at, saved_by,
    session, state, state_type, user, version,
};

use crate::places::Database;
use crate::{Sample, key};

/// What fills the tables, of a number `n`. States that are alike: what is asked for is rare.
const ROWS: [(&str, &str); 3] = [
    (
        "sqlite",
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
         INSERT INTO {p}states
         SELECT 'user ' || (n % 500), 'session ' || n, n, 'id', '1.0', 'type ' || (n % 400),
           'provider ' || (n % 400), 'model ' || (n % 400), 'phase ' || (n % 400),
           strftime('%Y-%m-%d %H:%M:%f', 'now', -n || ' minutes'), 'process ' || (n % 400),
           CASE WHEN n % 400 = 0
             THEN strftime('%Y-%m-%d %H:%M:%f', 'now', n || ' minutes') END,
           NULL, '{\"tag\":\"tag ' || (n % 400) || '\"}',
           '{\"reason\":\"reason ' || (n % 400) || '\",\"count\":' || n || '}'
         FROM numbers; ANALYZE",
    ),
    (
        "postgres",
        "INSERT INTO {p}states
         SELECT 'user ' || (n % 500), 'session ' || n, n, 'id', '1.0', 'type ' || (n % 400),
           'provider ' || (n % 400), 'model ' || (n % 400), 'phase ' || (n % 400),
           now() - n * interval '1 minute', 'process ' || (n % 400),
           CASE WHEN n % 400 = 0 THEN now() + n * interval '1 minute' END,
           NULL, ('{\"tag\":\"tag ' || (n % 400) || '\"}')::json,
           ('{\"reason\":\"reason ' || (n % 400) || '\",\"count\":' || n || '}')::json
         FROM generate_series(1, 20000) n; ANALYZE {p}states",
    ),
    (
        "mariadb",
        "INSERT INTO {p}states (
           user_id, session_id, version, write_id, schema_version, state_type, provider, model,
           phase, saved_at, saved_by, expires_at, checksum, metadata, state)
         SELECT CONCAT('user ', seq % 500), CONCAT('session ', seq), seq, 'id', '1.0',
           CONCAT('type ', seq % 400), CONCAT('provider ', seq % 400), CONCAT('model ', seq % 400),
           CONCAT('phase ', seq % 400), UTC_TIMESTAMP(6) - INTERVAL seq MINUTE,
           CONCAT('process ', seq % 400),
           IF(seq % 400 = 0, UTC_TIMESTAMP(6) + INTERVAL seq MINUTE, NULL),
           NULL, CONCAT('{\"tag\":\"tag ', seq % 400, '\"}'),
           CONCAT('{\"reason\":\"reason ', seq % 400, '\",\"count\":', seq, '}')
         FROM seq_1_to_20000; ANALYZE TABLE {p}states",
    ),
];

/// What a plan says where it looks at all states, or sorts them all.
fn looks_at_all(database: &Database, plan: &str) -> bool {
    match database.name {
        "sqlite" => plan.contains("SCAN s\n") || plan.ends_with("SCAN s"),
        "postgres" => plan.contains(&format!("Seq Scan on {}states s", database.prefix)),
        _ => {
            let plan = plan.split_whitespace().collect::<String>();
            ["ALL", "index"].iter().any(|way| {
                plan.contains(&format!("\"table_name\":\"s\",\"access_type\":\"{way}\""))
            })
        }
    }
}

/// What a plan says of the states that stand in their rows. Those that are apart are sorted, and
/// then what is on the page.
fn of_those_in_rows<'p>(database: &Database, plan: &'p str) -> &'p str {
    let parts = match database.name {
        "sqlite" => plan.split_once("SCAN p0"),
        "postgres" => plan.rsplit_once("->  Limit").filter(|_| plan.contains("Append")),
        _ => plan.split_once("\"operation\": \"UNION\""),
    };
    parts.map_or(plan, |(first, _)| first)
}

fn questions() -> Vec<(&'static str, Filter)> {
    let hour = Duration::from_secs(60 * 60);
    let now = SystemTime::now();
    vec![
        ("a user", user().eq("user 7")),
        ("a session", session().eq("session 7")),
        ("a user's session", user().eq("user 7").and(session().eq("session 7"))),
        ("users from on", user().between("user 7", "user 8")),
        ("a version", version().eq(77)),
        ("versions from on", version().gt(19_900)),
        ("a type", state_type().eq("type 7")),
        ("a provider", provider().eq("provider 7")),
        ("a model", model().eq("model 7")),
        ("one of some models", model().is_in(["model 7", "model 8"])),
        ("a phase", phase().eq("phase 7")),
        ("a process", saved_by().eq("process 7")),
        ("the last hour", saved_at().ge(now - hour)),
        ("an hour", saved_at().between(now - 10 * hour, now - 9 * hour)),
        ("what expires soon", expires_at().lt(now + 10 * hour)),
        ("a text in the state", state("$.reason").eq("reason 7")),
        ("one of some texts", state("$.reason").is_in(["reason 7", "reason 8"])),
        ("texts from on", state("$.reason").between("reason 17", "reason 18")),
        ("a number in the state", state("$.count").eq(7)),
        ("numbers from on", state("$.count").gt(19_900)),
        ("numbers between", state("$.count").between(100, 120)),
        ("a text in the metadata", metadata("$.tag").eq("tag 7")),
        ("all together", model().eq("model 7").and(state("$.reason").eq("reason 7"))),
        ("one or the other", model().eq("model 7").or(state("$.reason").eq("reason 8"))),
    ]
}

#[tokio::test]
async fn every_kind_of_question_is_answered_by_an_index() {
    for database in Database::each() {
        let builder = database.builder().index(state("$.reason")).index(state("$.count"));
        let backend = builder.index(metadata("$.tag")).connect().await.unwrap();
        Sample::new(key("alice", "1"), "{}").save(&backend).await;
        let (_, rows) = ROWS.iter().find(|(name, _)| *name == database.name).unwrap();
        database.run(rows);
        for (question, filter) in questions() {
            let plan = backend.explain(&Search::new(filter, 100)).await.unwrap().join("\n");
            let looks = looks_at_all(&database, &plan);
            assert!(!looks, "{}, {question}:\n{plan}", database.name);
        }
        // Those that are apart have an index of their own.
        let plan = backend.explain(&Search::new(state("$.reason").exists(), 9)).await.unwrap();
        let (plan, apart) = (plan.join("\n"), format!("{}states_apart", database.prefix));
        let apart = match database.name {
            "sqlite" => apart,
            "postgres" => format!("{}states_user_id_session_id_idx", database.prefix),
            _ => "\"key\": \"apart\"".to_owned(),
        };
        assert!(plan.contains(&apart), "{}:\n{plan}", database.name);
        // The test can tell: of what has no index all is looked at.
        let other = Search::new(state("$.other").eq("x"), 100_000);
        let plan = backend.explain(&other).await.unwrap().join("\n");
        let sees_all = looks_at_all(&database, &plan) || plan.contains("SCAN s USING INDEX");
        assert!(sees_all, "{}:\n{plan}", database.name);
    }
}

fn ordered(field: Field, descending: bool) -> Search {
    crate::pages::search(&Filter::all(), &[(field, descending)], 20)
}

/// A page costs what is on it.
#[tokio::test]
async fn a_page_in_the_order_of_keys_of_times_or_of_an_index_sorts_nothing() {
    for database in Database::each() {
        let backend = database.builder().index(state("$.count")).connect().await.unwrap();
        Sample::new(key("alice", "1"), "{}").save(&backend).await;
        let (_, rows) = ROWS.iter().find(|(name, _)| *name == database.name).unwrap();
        database.run(rows);
        let searches = [
            Search::new(Filter::all(), 20),
            ordered(saved_at(), true),
            ordered(saved_at(), false),
            ordered(state("$.count"), false),
            ordered(state("$.count"), true),
        ];
        for search in searches {
            let plan = backend.explain(&search).await.unwrap().join("\n");
            let sorts = ["TEMP B-TREE FOR ORDER BY", "Sort  (", "filesort"];
            let of_those_in_rows = of_those_in_rows(&database, &plan);
            let sorts = sorts.iter().any(|sign| of_those_in_rows.contains(sign));
            assert!(!sorts, "{}, {:?}:\n{plan}", database.name, search.order);
        }
    }
}
