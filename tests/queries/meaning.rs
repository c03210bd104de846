//! What a query means, where databases would have it differ.

use std::time::{Duration, SystemTime};

use cogency_state::query::{
    Filter, Value, expires_at, metadata, model, provider, saved_at, saved_by, session, state,
};

use crate::places::Database;
use crate::{Sample, key, manager, sessions};

/// Saves these states as sessions of alice, and gives those that a filter finds.
async fn found(states: &[(&str, &str)], filters: &[(Filter, &[&str])]) {
    for database in Database::each() {
        let backend = database.connect().await;
        for (session, json) in states {
            Sample::new(key("alice", session), *json).save(&backend).await;
        }
        for (filter, expected) in filters {
            let query = manager(&backend).query().filter(filter.clone());
            assert_eq!(&sessions(&query).await, expected, "{}: {filter:?}", database.name);
        }
    }
}

#[tokio::test]
async fn numbers_are_exact_to_the_ends_of_64_bits() {
    let a = || state("$.a");
    found(
        &[
            ("1 max", "{\"a\":18446744073709551615}"),
            ("2 max less 1", "{\"a\":18446744073709551614}"),
            ("3 2^53", "{\"a\":9007199254740992}"),
            ("4 2^53 + 1", "{\"a\":9007199254740993}"),
            ("5 min", "{\"a\":-9223372036854775808}"),
            ("6 one", "{\"a\":1}"),
            ("7 one", "{\"a\":1.0}"),
            ("8 text", "{\"a\":\"1\"}"),
        ],
        &[
            (a().eq(u64::MAX), &["1 max"]),
            (a().eq(u64::MAX - 1), &["2 max less 1"]),
            (a().gt(u64::MAX - 1), &["1 max"]),
            (a().gt(9_007_199_254_740_992_i64), &["1 max", "2 max less 1", "4 2^53 + 1"]),
            (a().eq(i64::MIN), &["5 min"]),
            (a().eq(1), &["6 one", "7 one"]),
            (a().eq(1.0), &["6 one", "7 one"]),
            (a().eq("1"), &["8 text"]),
            (a().lt(0), &["5 min"]),
        ],
    )
    .await;
}

/// `serde_json::RawValue` writes numbers that nothing else can hold.
#[tokio::test]
async fn what_no_number_can_hold_fails_no_query() {
    found(
        &[
            ("1", "{\"a\":1e999}"),
            ("2", "{\"a\":-1e-999}"),
            ("3", "{\"a\":123456789012345678901234567890123456789012345678901234567890}"),
            ("4", "{\"a\":1e99999999999}"),
            ("5", "{\"a\":7}"),
        ],
        &[(state("$.a").eq(7), &["5"]), (state("$.a").eq("x").not(), &["1", "2", "3", "4", "5"])],
    )
    .await;
}

#[tokio::test]
async fn texts_with_nul_and_half_surrogates_fail_no_query_and_are_found() {
    let a = || state("$.a");
    found(
        &[
            ("1 nul", "{\"a\":\"x\\u0000y\"}"),
            ("2 backslash", "{\"a\":\"x\\\\u0000y\"}"),
            ("3 one", "{\"a\":\"x\\u0001y\"}"),
            ("4 beside", "{\"b\":\"\\u0000\",\"a\":\"x\"}"),
            ("5 half", "{\"b\":\"\\ud800\",\"a\":\"x\"}"),
            ("6 pair", "{\"a\":\"\\ud83d\\ude00\"}"),
        ],
        &[
            (a().eq("x\0y"), &["1 nul"]),
            (a().eq("x\\u0000y"), &["2 backslash"]),
            (a().eq("x\u{1}y"), &["3 one"]),
            (a().contains("\0"), &["1 nul"]),
            (a().contains("\u{2}"), &[]),
            (a().eq("x").and(session().ne("5 half")), &["4 beside"]),
            (a().eq("😀"), &["6 pair"]),
            (a().gt("x").and(a().lt("x\u{1}")), &["1 nul"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn missing_is_not_null_and_not_is_all_others() {
    let a = || state("$.a");
    found(
        &[
            ("1 null", "{\"a\":null}"),
            ("2 missing", "{}"),
            ("3 false", "{\"a\":false}"),
            ("4", "[]"),
        ],
        &[
            (a().exists(), &["1 null", "3 false"]),
            (a().exists().not(), &["2 missing", "4"]),
            (a().eq(Value::Null), &["1 null"]),
            (a().ne(Value::Null), &["2 missing", "3 false", "4"]),
            (a().eq(false), &["3 false"]),
            (a().lt(5).not(), &["1 null", "2 missing", "3 false", "4"]),
            (a().is_in(Vec::<i32>::new()), &[]),
            (Filter::all().not(), &[]),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_element_is_one_of_an_array_and_a_name_one_of_an_object() {
    found(
        &[
            ("1 array", "{\"a\":[\"x\",[\"y\"]]}"),
            ("2 object", "{\"a\":{\"0\":\"x\"}}"),
            ("3 text", "{\"a\":\"x\"}"),
        ],
        &[
            (state("$.a[0]").eq("x"), &["1 array"]),
            (state("$.a.0").eq("x"), &["2 object"]),
            (state("$.a").eq("x"), &["3 text"]),
            (state("$.a").contains("x"), &["1 array", "3 text"]),
            (state("$.a").contains("y"), &[]),
            (state("$.a[1]").contains("y"), &["1 array"]),
        ],
    )
    .await;
}

/// MariaDB reads no deeper than 32 levels; it fails no query.
#[tokio::test]
async fn a_state_that_is_nested_deeply_fails_no_query() {
    let deep = format!("{{\"b\":{}{},\"a\":[1]}}", "[".repeat(100), "]".repeat(100));
    for database in Database::each() {
        let backend = database.connect().await;
        Sample::new(key("alice", "deep"), deep.as_str()).save(&backend).await;
        Sample::new(key("alice", "flat"), "{\"a\":[1]}").save(&backend).await;
        let query = manager(&backend).query().filter(state("$.a").contains(1));
        let all = if database.name == "mariadb" { vec!["flat"] } else { vec!["deep", "flat"] };
        assert_eq!(sessions(&query).await, all, "{}", database.name);
        let query = manager(&backend).query().order_by(state("$.a"));
        assert_eq!(sessions(&query).await, ["deep", "flat"]);
    }
}

#[tokio::test]
async fn what_somebody_damaged_fails_no_query() {
    for database in [Database::sqlite(), Database::mariadb()] {
        let backend = database.connect().await;
        for session in ["1", "2"] {
            Sample::new(key("alice", session), "{\"a\":\"x\"}").save(&backend).await;
        }
        database.run("UPDATE {p}states SET state = '}no json' WHERE session_id = '1'");
        let query = manager(&backend).query().filter(state("$.a").eq("x"));
        assert_eq!(sessions(&query).await, ["2"], "{}", database.name);
        assert_eq!(query.count().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn times_are_those_of_the_server() {
    for database in Database::each() {
        let backend = database.connect().await;
        Sample::new(key("alice", "stays"), "1").save(&backend).await;
        let day = Duration::from_secs(24 * 60 * 60);
        Sample::new(key("alice", "expires"), "2").save_for(&backend, Some(day)).await;
        let now = SystemTime::now();
        let ask = |filter| {
            let query = manager(&backend).query().filter(filter);
            async move { sessions(&query).await }
        };
        assert_eq!(ask(saved_at().between(now - day, now + day)).await, ["expires", "stays"]);
        assert!(ask(saved_at().between(now - 2 * day, now - day)).await.is_empty());
        assert_eq!(ask(expires_at().lt(now + 2 * day)).await, ["expires"]);
        assert_eq!(ask(expires_at().exists().not()).await, ["stays"]);
        assert_eq!(ask(expires_at().eq(Value::Null)).await, ["stays"]);
        // What a row says is what it is found by, to the microsecond.
        let rows = manager(&backend).query().rows().all().await.unwrap();
        for row in rows {
            let same = ask(saved_at().eq(row.saved_at).and(session().eq(row.key.session_id())));
            assert_eq!(same.await, [row.key.session_id()], "{}", database.name);
            let offset = row.saved_at.duration_since(now).unwrap_or_else(|early| early.duration());
            assert!(offset < Duration::from_secs(60 * 60));
            assert!(!ask(saved_by().eq(row.saved_by.as_str())).await.is_empty());
        }
    }
}

#[tokio::test]
async fn what_has_expired_is_not_found() {
    for database in Database::each() {
        let backend = database.connect().await;
        Sample::new(key("alice", "stays"), "{\"a\":1}").save(&backend).await;
        let soon = Duration::from_millis(50);
        Sample::new(key("alice", "expires"), "{\"a\":1}").save_for(&backend, Some(soon)).await;
        tokio::time::sleep(4 * soon).await;
        let query = manager(&backend).query().filter(state("$.a").eq(1));
        assert_eq!(sessions(&query).await, ["stays"], "{}", database.name);
        assert_eq!(query.count().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn columns_and_metadata_are_found_with_every_space() {
    for database in Database::each() {
        let backend = database.connect().await;
        let mut sample = Sample::new(key("alice", "1"), "{}").by("openai", "gpt-5");
        sample.metadata.custom.insert("tenant".into(), "blue".into());
        sample.save(&backend).await;
        Sample::new(key("alice", "2"), "{}").by("openai ", "gpt-5").save(&backend).await;
        Sample::new(key("alice ", "3"), "{}").by("OpenAI", "gpt-5").save(&backend).await;
        let ask = |filter| {
            let query = manager(&backend).query().filter(filter);
            async move { sessions(&query).await }
        };
        assert_eq!(ask(provider().eq("openai")).await, ["1"], "{}", database.name);
        assert_eq!(ask(provider().eq("openai ")).await, ["2"]);
        assert_eq!(ask(provider().contains("AI")).await, ["3"]);
        assert_eq!(ask(model().eq("gpt-5")).await, ["1", "2", "3"]);
        assert_eq!(ask(metadata("$.tenant").eq("blue")).await, ["1"]);
        assert_eq!(ask(cogency_state::query::user().eq("alice")).await, ["1", "2"]);
    }
}
