//! Mistakes are told before anything runs.

use std::time::SystemTime;

use cogency_state::query::{Field, Filter, Value, metadata, saved_at, state, user, version};
use cogency_state::{DatabaseBackend, Error, FileBackend, MemoryBackend, StateManager};
use cogency_state_tests::database::SqliteFile;

async fn refusal(manager: &StateManager, filter: Filter) -> String {
    let query = manager.query().filter(filter);
    let counted = query.count().await.unwrap_err();
    let Error::Config { reason, .. } = counted else { panic!("{counted:?}") };
    let mut rows = query.rows();
    let Some(Err(Error::Config { reason: again, .. })) = rows.next().await else {
        panic!("{reason}")
    };
    assert_eq!(reason, again);
    assert!(rows.next().await.is_none());
    reason
}

#[tokio::test]
async fn a_wrong_query_says_what_is_wrong() {
    // It does not connect: the file is not made.
    let file = SqliteFile::default();
    let manager = StateManager::new(DatabaseBackend::new(&file.url()).unwrap());
    let deep = (0..50).fold(Filter::all(), |filter, _| filter.not());
    let long = (0..500).fold(Filter::all(), |filter, n| filter.and(state("$.a").ne(n)));
    let cases = [
        (state("a.b").eq(1), "\"a.b\" is no path: it does not begin with `$`"),
        (metadata("$.a\"b").exists(), "a quote, a backslash or a control character"),
        (state("$.a").eq(SystemTime::now()), "only `saved_at` and `expires_at` are times"),
        (state("$.a").lt(f64::NAN), "NaN and infinity"),
        (state("$.a").lt(Value::Null), "nothing is less or greater than null"),
        (saved_at().gt("yesterday"), "`saved_at` is a time"),
        (user().eq(7), "`user` is a text without NUL"),
        (user().eq("a\0b"), "`user` is a text without NUL"),
        (version().eq(1.5), "`version` is a whole number"),
        (version().contains(1), "`version` is no text"),
        (deep, "nested deeper than 40 times"),
        (long, "more than 400 conditions"),
        (state("$.a").is_in(0..2000), "or 1000 values"),
    ];
    for (filter, expected) in cases {
        let said = refusal(&manager, filter).await;
        assert!(said.contains(expected), "{said}");
    }
    let order = (0..9).fold(manager.query(), |query, _| query.order_by(user()));
    let error = order.rows().next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("orders by more than 8 fields"), "{error}");
    assert!(!file.path().exists());
}

#[tokio::test]
async fn a_backend_without_queries_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateManager::new(FileBackend::new(folder.path()));
    for manager in [StateManager::new(MemoryBackend::new()), file] {
        let said = refusal(&manager, Filter::all()).await;
        assert!(said.contains("keep them in a database"), "{said}");
    }
}

/// Also of one that would have ended the text that it stands in.
#[tokio::test]
async fn a_path_is_no_way_into_the_sql() {
    let file = SqliteFile::default();
    let manager = StateManager::new(DatabaseBackend::connect(&file.url()).await.unwrap());
    let hostile: Field = state("$.\"') OR 1 = 1 --\"");
    assert_eq!(manager.query().filter(hostile.exists()).count().await.unwrap(), 0);
}

/// What is compared may be a secret, as states are.
#[test]
fn values_are_not_shown() {
    let filter = state("$.password").eq("hunter2");
    assert!(!format!("{filter:?}").contains("hunter2"));
}
