//! Indexes on paths.

use cogency_state::query::{metadata, state};

use crate::places::Database;
use crate::{Sample, key, manager, sessions};

#[tokio::test]
async fn an_index_is_made_at_connect_and_named_where_it_may_not_be() {
    for database in Database::each() {
        let backend = database.connect().await;
        Sample::new(key("alice", "1"), "{\"a\":\"x\"}").save(&backend).await;
        let declared = || database.builder().index(state("$.a")).index(metadata("$.\"it's\""));
        let error = declared().never_migrate().connect().await.unwrap_err().to_string();
        assert!(error.contains("state $.\"a\", metadata $.\"it's\""), "{error}");
        let backend = declared().connect().await.unwrap();
        assert_eq!(database.number("SELECT count(*) FROM {p}indexes"), 2, "{}", database.name);
        let query = manager(&backend).query().filter(state("$.a").eq("x"));
        assert_eq!(sessions(&query).await, ["1"]);
        Sample::new(key("alice", "2"), "{\"a\":\"x\"}").save(&backend).await;
        assert_eq!(sessions(&query).await, ["1", "2"]);
        // A program that knows nothing of it goes on.
        Sample::new(key("alice", "3"), "{\"a\":\"x\"}").save(&database.connect().await).await;
        declared().never_migrate().connect().await.unwrap();
    }
}

#[tokio::test]
async fn the_sql_for_an_operator_has_them() {
    for database in Database::each() {
        let declared = || database.builder().index(state("$.a[0].b"));
        // This makes the file.
        declared().never_migrate().connect().await.unwrap_err();
        database.run_by_client(&declared().migrations().unwrap());
        let backend = declared().never_migrate().connect().await.unwrap();
        Sample::new(key("alice", "1"), "{\"a\":[{\"b\":1.5}]}").save(&backend).await;
        let query = manager(&backend).query().filter(state("$.a[0].b").gt(1));
        assert_eq!(sessions(&query).await, ["1"], "{}", database.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_that_connect_at_once_make_an_index_once() {
    for database in Database::each() {
        drop(database.connect().await);
        let backends: Vec<_> = (0..10)
            .map(|_| {
                let builder = database.builder().index(state("$.a"));
                tokio::spawn(async move { builder.connect().await.unwrap() })
            })
            .collect();
        for backend in backends {
            backend.await.unwrap();
        }
        assert_eq!(database.number("SELECT count(*) FROM {p}indexes"), 1, "{}", database.name);
    }
}

/// What an index cannot hold is no reason not to save.
#[tokio::test]
async fn a_state_is_saved_whatever_stands_at_an_indexed_path() {
    for database in Database::each() {
        let builder = database.builder().index(state("$.a")).index(state("$"));
        let backend = builder.index(state("$.a[0]")).connect().await.unwrap();
        let long = format!("{{\"a\":\"{}\"}}", "é😀".repeat(100_000));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        let odd = [
            "{\"a\":1e999}",
            "{\"a\":-1e-999}",
            "{\"a\":12345678901234567890123456789012345678901234567890}",
            "{\"a\":\"\\u0000\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":[18446744073709551615]}",
            "7",
            "\"text\"",
            &long,
            &deep,
        ];
        for (number, state) in odd.iter().enumerate() {
            let sample = Sample::new(key("alice", &number.to_string()), *state);
            sample.save(&backend).await;
            sample.save(&backend).await;
        }
        let whole = manager(&backend).query().filter(state("$.a").eq("é😀".repeat(100_000)));
        assert_eq!(sessions(&whole).await, ["8"], "{}", database.name);
        let number = manager(&backend).query().filter(state("$").eq(7));
        assert_eq!(sessions(&number).await, ["6"]);
    }
}

#[tokio::test]
async fn what_cannot_be_indexed_is_refused() {
    let database = Database::sqlite();
    let said = database.builder().index(state("a")).build().unwrap_err().to_string();
    assert!(said.contains("no index on \"a\""), "{said}");
    let column = database.builder().index(cogency_state::query::model());
    assert!(column.build().unwrap_err().to_string().contains("has its index already"));
}
