//! Results that come page by page.

use std::pin::Pin;
use std::time::Duration;

use cogency_state::query::{Field, Filter, OrderBy, Search, session, state, user};
use cogency_state::{DatabaseBackend, Error, StateBackend as _, StateKey};
use cogency_state_tests::database::{PgBouncer, shared_postgres};
use futures_core::Stream;

use crate::places::Database;
use crate::{Sample, key, manager, sessions};

/// A search in pages of this size.
pub(crate) fn search(filter: &Filter, order: &[(Field, bool)], size: usize) -> Search {
    let mut search = Search::new(filter.clone(), size);
    let order = order.iter();
    search.order = order.map(|(field, down)| OrderBy::new(field.clone(), *down)).collect();
    search
}

/// The keys on all pages.
pub(crate) async fn keys(backend: &DatabaseBackend, search: &Search) -> Vec<StateKey> {
    let mut search = search.clone();
    let mut keys = Vec::new();
    loop {
        let page = backend.find_states(&search).await.unwrap();
        assert!(page.rows.len() <= search.limit);
        keys.extend(page.rows.into_iter().map(|hit| hit.unwrap().found.key));
        search.after = page.next;
        if search.after.is_none() {
            return keys;
        }
    }
}

async fn numbered(backend: &DatabaseBackend, count: usize) {
    for number in 0..count {
        let state = serde_json::json!({ "number": number, "tens": number / 10 });
        Sample::new(key("alice", &format!("{number:04}")), state.to_string()).save(backend).await;
    }
}

#[tokio::test]
async fn a_state_that_is_saved_meanwhile_keeps_no_other_from_coming_exactly_once() {
    for database in Database::each() {
        let backend = database.connect().await;
        numbered(&backend, 40).await;
        let search = search(&Filter::all(), &[(state("$.tens"), true), (session(), false)], 7);
        let mut found = Vec::new();
        let mut next = search.clone();
        loop {
            let page = backend.find_states(&next).await.unwrap();
            found.extend(page.rows.into_iter().map(|hit| hit.unwrap().found.key));
            // One that comes before all, and one that is gone.
            Sample::new(key("alice", &format!("new {}", found.len())), "{\"tens\":99}")
                .save(&backend)
                .await;
            manager(&backend).delete_state(&key("alice", "0000")).await.unwrap();
            next.after = page.next;
            if next.after.is_none() {
                break;
            }
        }
        let mut expected: Vec<_> = (1..40).map(|n| (n / 10, format!("{n:04}"))).collect();
        expected.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        let expected: Vec<_> = expected.into_iter().map(|(_, id)| key("alice", &id)).collect();
        assert_eq!(found, expected, "{}", database.name);
    }
}

/// More than a page, with states and without.
#[tokio::test]
async fn a_result_of_many_pages_is_a_stream_of_typed_rows() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Numbered {
        number: usize,
        tens: usize,
    }
    for database in Database::each() {
        let backend = database.connect().await;
        numbered(&backend, 130).await;
        let query = manager(&backend).query().filter(state("$.tens").lt(12));
        let query = query.order_by_descending(state("$.number"));
        let mut rows = query.states::<Numbered>();
        let mut numbers = Vec::new();
        loop {
            // As `StreamExt::next` does it.
            let row = std::future::poll_fn(|context| Pin::new(&mut rows).poll_next(context)).await;
            let Some(row) = row else { break };
            let (found, state) = row.unwrap();
            assert_eq!(found.key, key("alice", &format!("{:04}", state.number)));
            assert_eq!(state.tens, state.number / 10);
            numbers.push(state.number);
        }
        assert_eq!(numbers, (0..120).rev().collect::<Vec<_>>(), "{}", database.name);
        assert_eq!(query.count().await.unwrap(), 120);
        assert_eq!(sessions(&query.clone().limit(60)).await.len(), 60);
        assert!(rows.next().await.is_none());
    }
}

#[tokio::test]
async fn a_next_that_is_dropped_loses_no_row() {
    let database = Database::postgres();
    let backend = database.connect().await;
    numbered(&backend, 20).await;
    let mut rows = manager(&backend).query().rows();
    let mut found = Vec::new();
    while found.len() < 20 {
        let row = tokio::time::timeout(Duration::from_micros(200), rows.next()).await;
        if let Ok(row) = row {
            found.push(row.unwrap().unwrap().key);
        }
    }
    assert!(rows.next().await.is_none());
    assert_eq!(found, keys(&backend, &Search::new(Filter::all(), 100)).await);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_an_error_in_its_place_and_the_next_ones_come() {
    for database in Database::each() {
        let backend = database.connect().await;
        numbered(&backend, 5).await;
        database
            .run("UPDATE {p}states SET checksum = '0000000000000000' WHERE session_id = '0002'");
        let query = manager(&backend).query().filter(user().eq("alice"));
        let mut rows = query.states::<serde_json::Value>();
        let mut seen = Vec::new();
        while let Some(row) = rows.next().await {
            seen.push(row.map(|(found, _)| found.key));
        }
        assert_eq!(seen.len(), 5, "{}", database.name);
        assert!(matches!(&seen[2], Err(Error::Corrupt { .. })), "{:?}", seen[2]);
        assert!(seen.iter().filter(|row| row.is_ok()).count() == 4);
        // Of what is known without it there is nothing wrong.
        assert_eq!(query.rows().all().await.unwrap().len(), 5);
    }
}

#[tokio::test]
async fn behind_a_pooler_that_keeps_no_sessions_queries_work_too() {
    let pooler = PgBouncer::before(shared_postgres());
    let database = Database::postgres();
    let url = format!("{}?prefix={}&statement_cache=off", pooler.url(), database.prefix);
    let builder = DatabaseBackend::builder(&url).index(state("$.number"));
    let backend = builder.connect().await.unwrap();
    numbered(&backend, 20).await;
    let query = manager(&backend).query().filter(state("$.number").ge(15));
    assert_eq!(query.count().await.unwrap(), 5);
    assert_eq!(sessions(&query).await.len(), 5);
}
