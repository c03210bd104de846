//! What is asked of histories is found by an index, also among those of many.

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::places::Database;
use crate::{key, save};

macro_rules! sql {
    ($folder:literal, $($file:literal),*) => {
        [$(($file, include_str!(concat!(
            "../../cogency-state/src/backend/database/", $folder, "/", $file, ".sql"
        )))),*]
    };
}

macro_rules! of_history {
    ($folder:literal) => {
        sql!(
            $folder,
            "history/list",
            "history/rows",
            "history/of_version",
            "history/of_time",
            "history/of_rank",
            "history/keyframe"
        )
    };
}

/// The SQL with these values.
fn filled(database: &Database, sql: &str, values: &[&str]) -> String {
    let text = sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let text = text.replace("{p}", &database.prefix);
    values.iter().enumerate().fold(text, |text, (at, value)| match database.name {
        "mariadb" => text.replacen('?', value, 1),
        _ => text.replace(&format!("${}", at + 1), value),
    })
}

/// The SQL of each question, with the values that it is asked with.
fn questions(database: &Database) -> Vec<(&'static str, String)> {
    let files = match database.name {
        "sqlite" => of_history!("sqlite"),
        "postgres" => of_history!("postgres"),
        _ => of_history!("mysql"),
    };
    let sql = files.map(|(name, text)| {
        let values: &[&str] = match name {
            "history/list" => &["20", "20"],
            "history/rows" => &["5", "9", "20"],
            "history/of_rank" => &["3"],
            "history/of_time" => &["1769860800000000"],
            _ => &["7"],
        };
        let values = ["'user 7'", "'default'"].iter().chain(values);
        let values: Vec<_> = values.copied().collect();
        let filled = filled(database, text, &values);
        (name, filled)
    });
    let mut questions = Vec::from(sql);
    // What a pruning removes.
    let prune = "DELETE FROM {p}history WHERE user_id = 'user 7' AND session_id = 'default' \
                 AND seq <= 9";
    questions.push(("prune", prune.replace("{p}", &database.prefix)));
    questions
}

/// 20,000 entries of 200 users.
fn fill(database: &Database) {
    let columns = "user_id, session_id, seq, event, version, write_id, at, process, host, size, \
                   kind, hash, content";
    let (numbers, text, at) = match database.name {
        "sqlite" => (
            "(WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE \
             n < 19999) SELECT n FROM numbers) numbers",
            "'user ' || (n % 200)",
            "strftime('%Y-%m-%d %H:%M:%f', 'now', (n - 20000) || ' minutes')",
        ),
        "postgres" => (
            "generate_series(0, 19999) n",
            "'user ' || (n % 200)",
            "now() + (n - 20000) * interval '1 minute'",
        ),
        _ => (
            "(SELECT seq AS n FROM seq_0_to_19999) numbers",
            "CONCAT('user ', n % 200)",
            "UTC_TIMESTAMP(6) + INTERVAL (CAST(n AS SIGNED) - 20000) MINUTE",
        ),
    };
    let each = if database.name == "mariadb" { "n DIV 200" } else { "n / 200" };
    database.run(&format!(
        "INSERT INTO {{p}}history ({columns}) SELECT {text}, 'default', {each} + 1, 'save', \
         {each} + 1, 'id', {at}, 1, 'host', 1, CASE {each} % 20 WHEN 0 THEN 'keyframe' ELSE \
         'change' END, 'hash', '1' FROM {numbers}"
    ));
    database.run(match database.name {
        "sqlite" => "ANALYZE",
        "postgres" => "ANALYZE {p}history",
        _ => "ANALYZE TABLE {p}history",
    });
}

async fn plan(database: &Database, sql: &str) -> String {
    let mut lines = Vec::new();
    if database.name == "sqlite" {
        let mut connection = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<String, _>("detail")));
    } else if database.name == "postgres" {
        let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN {sql}"));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    } else {
        let mut connection = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN FORMAT=JSON {sql}"));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    lines.join("\n")
}

/// Whether it looks at the histories of all.
fn looks_at_all(plan: &str) -> bool {
    let signs = ["SCAN ", "Seq Scan", "\"access_type\": \"ALL\"", "\"access_type\": \"index\""];
    signs.iter().any(|sign| plan.contains(sign))
}

/// 20,000 heads, of which a page is asked for.
fn fill_heads(database: &Database) {
    let columns = "user_id, session_id, seq, hash, at, version, write_id, keyframe_bytes, \
                   change_bytes, changes";
    let numbered = match database.name {
        "mariadb" => "CONCAT('user ', n), 'default'",
        _ => "'user ' || n, 'default'",
    };
    let (numbers, now) = match database.name {
        "sqlite" => (
            "(WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE \
             n < 19999) SELECT n FROM numbers) numbers",
            "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        ),
        "postgres" => ("generate_series(0, 19999) n", "now()"),
        _ => ("(SELECT seq AS n FROM seq_0_to_19999) numbers", "UTC_TIMESTAMP(6)"),
    };
    database.run(&format!(
        "INSERT INTO {{p}}heads ({columns}) SELECT {numbered}, 1, 'hash', {now}, 1, 'id', 1, 0, 0 \
         FROM {numbers}"
    ));
    database.run(match database.name {
        "sqlite" => "ANALYZE",
        "postgres" => "ANALYZE {p}heads",
        _ => "ANALYZE TABLE {p}heads",
    });
}

#[tokio::test]
async fn a_page_of_the_keys_that_have_a_history_is_found_by_an_index() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), "1").await;
        fill_heads(&database);
        let ([sqlite], [postgres], [mysql]) = (
            sql!("sqlite", "history/keys"),
            sql!("postgres", "history/keys"),
            sql!("mysql", "history/keys"),
        );
        let (_, sql) = match database.name {
            "sqlite" => sqlite,
            "postgres" => postgres,
            _ => mysql,
        };
        let plan =
            plan(&database, &filled(&database, sql, &["'user 7'", "'user 7'", "'default'", "100"]))
                .await;
        assert!(!looks_at_all(&plan), "{}:\n{plan}", database.name);
        assert!(!plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[tokio::test]
async fn each_question_about_a_history_is_answered_by_an_index() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), "1").await;
        fill(&database);
        for (question, sql) in questions(&database) {
            let plan = plan(&database, &sql).await;
            assert!(!looks_at_all(&plan), "{}, {question}:\n{plan}", database.name);
        }
        // The test can tell: of what has no index all is looked at.
        let other = format!("SELECT seq FROM {}history WHERE host = 'x'", database.prefix);
        let plan = plan(&database, &other).await;
        assert!(looks_at_all(&plan), "{}:\n{plan}", database.name);
    }
}

/// 20,000 states of 2,000 users, a few of which expire, and as many that are aside.
fn fill_states(database: &Database) {
    let (numbers, user, soon) = match database.name {
        "sqlite" => (
            "(WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE \
             n < 19999) SELECT n FROM numbers) numbers",
            "'user ' || (n % 2000)",
            "strftime('%Y-%m-%d %H:%M:%f', 'now', n || ' minutes')",
        ),
        "postgres" => (
            "generate_series(0, 19999) n",
            "'user ' || (n % 2000)",
            "now() + n * interval '1 minute'",
        ),
        _ => (
            "(SELECT seq AS n FROM seq_0_to_19999) numbers",
            "CONCAT('user ', n % 2000)",
            "UTC_TIMESTAMP(6) + INTERVAL n MINUTE",
        ),
    };
    let (session, id) = match database.name {
        "mariadb" => ("CONCAT('session ', n)", "CONCAT('id ', n)"),
        _ => ("'session ' || n", "'id ' || n"),
    };
    let json = if database.name == "postgres" { "'{}'::json" } else { "'{}'" };
    database.run(&format!(
        "INSERT INTO {{p}}states (user_id, session_id, version, write_id, schema_version, \
         saved_at, saved_by, expires_at, metadata, state) SELECT {user}, {session}, 1, 'id', '1.0', \
         {soon}, 'host', CASE n % 500 WHEN 0 THEN {soon} END, {json}, {json} FROM {numbers}"
    ));
    database.run(&format!(
        "INSERT INTO {{p}}aside (id, user_id, session_id, about, set_aside_at, version, write_id, \
         schema_version, saved_at, saved_by, metadata, state) SELECT {id}, {user}, {session}, \
         {json}, {soon}, 1, 'id', '1.0', {soon}, 'host', {json}, {json} FROM {numbers}"
    ));
    for table in ["states", "aside"] {
        database.run(&match database.name {
            "sqlite" => "ANALYZE".to_owned(),
            "postgres" => format!("ANALYZE {{p}}{table}"),
            _ => format!("ANALYZE TABLE {{p}}{table}"),
        });
    }
}

macro_rules! of_states {
    ($folder:literal) => {
        sql!($folder, "list", "list_all", "list_aside_of", "load_aside")
    };
}

/// Whether it looks at all states, or at all that is aside. There are hardly any leases.
fn looks_at_all_states(database: &Database, plan: &str) -> bool {
    let words = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    let tables = ["states", "aside"].map(|table| format!("{}{table}", database.prefix));
    match database.name {
        "sqlite" => plan.lines().any(|line| {
            line == "SCAN s" || tables.iter().any(|table| line == format!("SCAN {table}"))
        }),
        "postgres" => tables.iter().any(|table| words.contains(&format!("Seq Scan on {table}"))),
        _ => ["s", &tables[1]].iter().any(|table| {
            let all = format!("\"table_name\": \"{table}\", \"access_type\": \"ALL\"");
            words.contains(&all)
        }),
    }
}

/// How expired states are removed. On MariaDB that is a procedure: this is what stands in it.
fn removal(database: &Database) -> String {
    let sql = match database.name {
        "sqlite" => {
            include_str!("../../cogency-state/src/backend/database/sqlite/remove_expired.sql")
        }
        "postgres" => {
            include_str!("../../cogency-state/src/backend/database/postgres/remove_expired.sql")
        }
        _ => {
            "DELETE s FROM {p}states s WHERE s.expires_at <= UTC_TIMESTAMP(6) AND NOT EXISTS \
             (SELECT 1 FROM {p}leases l WHERE l.user_id = s.user_id AND l.session_id = \
             s.session_id AND l.taken_at < s.expires_at)"
        }
    };
    let first = filled(database, sql, &[]);
    first.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn each_list_and_each_removal_of_what_expired_is_answered_by_an_index() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), "1").await;
        fill_states(&database);
        let files = match database.name {
            "sqlite" => of_states!("sqlite"),
            "postgres" => of_states!("postgres"),
            _ => of_states!("mysql"),
        };
        let mut questions = vec![("remove_expired", removal(&database))];
        for (name, sql) in files {
            let values: &[&str] = match name {
                "list_all" => &["'user 7'", "'user 7'", "'session 7'", "100"],
                "load_aside" => &["'user 7'", "'session 7'", "'id 7'"],
                _ => &["'user 7'"],
            };
            questions.push((name, filled(&database, sql, values)));
        }
        for (question, sql) in questions {
            let plan = plan(&database, &sql).await;
            let looks = looks_at_all_states(&database, &plan);
            assert!(!looks, "{}, {question}:\n{plan}", database.name);
        }
        // The test can tell.
        let all = format!("SELECT about FROM {}aside ORDER BY set_aside_at, id", database.prefix);
        let plan = plan(&database, &all).await;
        assert!(looks_at_all_states(&database, &plan), "{}:\n{plan}", database.name);
    }
}
