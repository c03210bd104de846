//! Random questions about random states: three databases give the answers of plain Rust.

use std::cmp::Ordering;
use std::collections::HashMap;

use cogency_state::query::{Candidate, Field, Filter, Found, Search, compare};
use cogency_state::{DatabaseBackend, Query, StateKey};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::places::Database;
use crate::random;
use crate::{Sample, manager};

const QUESTIONS: usize = 40;

type Question = (Filter, Vec<(Field, bool)>, usize);

/// How many sets of states, each with 40 questions.
fn rounds() -> u32 {
    std::env::var("COGENCY_QUERY_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap())
}

#[test]
fn three_databases_answer_random_questions_as_the_model_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let order = prop::collection::vec((random::field(), any::<bool>()), 0..3);
    let question = (random::filter(), order, 1..70_usize);
    let questions = prop::collection::vec(question, QUESTIONS);
    let mut runner = TestRunner::new(Config {
        cases: rounds(),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let asked = runner.run(&(random::states(), questions), |(samples, questions)| {
        runtime.block_on(async {
            for database in Database::each() {
                // Half of the rounds ask what has indexes.
                let is_indexed = samples.len() % 2 == 0;
                answers_like_the_model(&database, is_indexed, &samples, &questions).await?;
            }
            Ok(())
        })
    });
    asked.unwrap();
}

async fn answers_like_the_model(
    database: &Database,
    is_indexed: bool,
    samples: &[Sample],
    questions: &[Question],
) -> Result<(), TestCaseError> {
    // Some states are larger.
    let mut builder = database.builder().whole_up_to(60);
    if is_indexed {
        for path in ["$.a", "$.list[0]", "$.long", "$.\"it's a {p} k.e[y] 😀\""] {
            builder = builder.index(cogency_state::query::state(path));
        }
        builder = builder.index(cogency_state::query::metadata("$.tag"));
    }
    let backend = builder.connect().await.unwrap();
    for sample in samples {
        sample.save(&backend).await;
    }
    let candidates = candidates(&backend, samples).await?;
    for question in questions {
        let (filter, order, limit) = question;
        let mut query = manager(&backend).query().filter(filter.clone());
        for (field, descending) in order {
            query = if *descending {
                query.order_by_descending(field.clone())
            } else {
                query.order_by(field.clone())
            };
        }
        let told = format!("{} of {question:?}", database.name);
        answers(&query, filter, &candidates, &told).await?;
        let search = crate::pages::search(filter, order, 1 + limit % 7);
        in_order(&backend, &query, &search, *limit, &candidates, &told).await?;
    }
    Ok(())
}

/// Every state, with what the database says of it, which has to be what was saved.
async fn candidates(
    backend: &DatabaseBackend,
    samples: &[Sample],
) -> Result<HashMap<StateKey, Candidate>, TestCaseError> {
    let found = manager(backend).query().rows().all().await.unwrap();
    // The last of one key counts.
    let samples: HashMap<_, _> = samples.iter().map(|sample| (&sample.key, sample)).collect();
    prop_assert_eq!(found.len(), samples.len());
    let with_state = |found: Found| {
        let sample = samples[&found.key];
        prop_assert_eq!(&found.state_type, &sample.state_type);
        prop_assert_eq!(&found.metadata, &sample.metadata);
        let state = serde_json::from_str(&sample.state).unwrap();
        Ok((found.key.clone(), Candidate::new(found, state)))
    };
    found.into_iter().map(with_state).collect()
}

/// The same states are found, and counted.
async fn answers(
    query: &Query,
    filter: &Filter,
    candidates: &HashMap<StateKey, Candidate>,
    told: &str,
) -> Result<(), TestCaseError> {
    let all = candidates.values();
    let mut expected: Vec<_> =
        all.filter(|candidate| filter.matches(candidate)).map(|c| c.found().clone()).collect();
    expected.sort_by(|one, other| one.key.cmp(&other.key));
    let mut found = query.rows().all().await.unwrap();
    found.sort_by(|one, other| one.key.cmp(&other.key));
    let keys = |rows: &[Found]| rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>();
    let differing = |rows: &[Found], others: &[Found]| {
        let others = keys(others);
        let only = rows.iter().find(|row| !others.contains(&row.key));
        only.map(|row| candidates[&row.key].clone())
    };
    prop_assert!(
        keys(&found) == keys(&expected),
        "{told}:\nonly found {:?}\nnot found {:?}",
        differing(&found, &expected),
        differing(&expected, &found)
    );
    prop_assert_eq!(query.count().await.unwrap(), expected.len() as u64, "{}", told);
    Ok(())
}

/// They come in order, also where the order is cut into pages.
async fn in_order(
    backend: &DatabaseBackend,
    query: &Query,
    search: &Search,
    limit: usize,
    candidates: &HashMap<StateKey, Candidate>,
    told: &str,
) -> Result<(), TestCaseError> {
    let whole = query.rows().all().await.unwrap();
    for pair in whole.windows(2) {
        let (one, other) = (&candidates[&pair[0].key], &candidates[&pair[1].key]);
        let ordering = compare(&search.order, one, other);
        prop_assert!(ordering == Ordering::Less, "{told}: {one:?} before {other:?}");
    }
    let limited = query.clone().limit(limit).rows().all().await.unwrap();
    prop_assert_eq!(&limited[..], &whole[..limit.min(whole.len())], "{}", told);
    let keys: Vec<_> = whole.into_iter().map(|found| found.key).collect();
    prop_assert_eq!(crate::pages::keys(backend, search).await, keys, "{}", told);
    Ok(())
}
