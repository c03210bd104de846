//! What arrives together is written together on SQLite, and each gets an answer of its own.

use std::sync::Arc;

use cogency_state::{DatabaseBackend, Error, Holder, Opened, StateBackend as _};
use tokio::task::JoinSet;

use crate::places::Database;
use crate::{key, lease, write};

const USERS: usize = 40;

/// Saves once for each user at the same time. Gives those whose save failed, and how.
async fn all_at_once(backend: &Arc<DatabaseBackend>) -> Vec<(usize, Error)> {
    let mut leases = Vec::new();
    for user in 0..USERS {
        let key = key(&format!("user {user}"));
        let found = backend.load_state(&key).await.unwrap().map(|record| record.revision);
        leases.push((user, lease(backend, &key).await, write(&key, found, user.to_string())));
    }
    let mut tasks = JoinSet::new();
    for (user, lease, write) in leases {
        let backend = Arc::clone(backend);
        tasks.spawn(async move {
            let saved = backend.save_state(&lease, &write).await;
            backend.release_lease(&lease).await.unwrap();
            (user, saved)
        });
    }
    let failed = tasks.join_all().await.into_iter();
    failed.filter_map(|(user, saved)| saved.err().map(|error| (user, error))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_takes_none_of_the_others_along() {
    let database = Database::sqlite();
    let backend = Arc::new(database.connect().await);
    database.run(
        "CREATE TRIGGER refuses BEFORE INSERT ON {p}states WHEN NEW.user_id IN ('user 7', 'user 9')
         BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    );
    let mut failed = all_at_once(&backend).await;
    failed.sort_by_key(|(user, _)| *user);
    let users: Vec<_> = failed.iter().map(|(user, _)| *user).collect();
    assert_eq!(users, [7, 9], "{failed:?}");
    assert!(failed.iter().all(|(_, error)| matches!(error, Error::Backend { .. })), "{failed:?}");
    for user in 0..USERS {
        let found = backend.load_state(&key(&format!("user {user}"))).await.unwrap();
        let found = found.map(|record| record.state);
        let due = (!users.contains(&user)).then(|| user.to_string());
        assert_eq!(found.as_deref(), due.as_deref().map(str::as_bytes), "{user}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_take_one_key_together_one_gets_it() {
    let database = Database::sqlite();
    let backend = Arc::new(database.connect().await);
    let mut tasks = JoinSet::new();
    for user in 0..USERS {
        let backend = Arc::clone(&backend);
        tasks.spawn(async move {
            let key = key(if user % 2 == 0 { "even" } else { "odd" });
            backend.acquire_lease(&key, &Holder::current()).await.unwrap()
        });
    }
    let taken = tasks.join_all().await;
    let taken =
        taken.iter().filter(|taken| matches!(taken, cogency_state::LeaseAttempt::Acquired(_)));
    assert_eq!(taken.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_with_others_gets_what_is_its_own() {
    let database = Database::sqlite();
    let backend = Arc::new(database.connect().await);
    for round in 0..5 {
        assert!(all_at_once(&backend).await.is_empty());
        for user in 0..USERS {
            let found = backend.load_state(&key(&format!("user {user}"))).await.unwrap().unwrap();
            assert_eq!(found.state, user.to_string(), "{user}");
            assert_eq!(found.revision.version, round + 1, "{user}");
        }
    }
}

/// It is no outage of the file, so nothing of it goes to a spool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_no_text_is_corrupt_and_takes_nobody_along() {
    let database = Database::sqlite();
    let backend = Arc::new(database.connect().await);
    assert!(all_at_once(&backend).await.is_empty());
    database.run("UPDATE {p}states SET metadata = CAST(x'ff' AS TEXT) WHERE user_id = 'user 7'");
    let mut tasks = JoinSet::new();
    for user in 0..USERS {
        let backend = Arc::clone(&backend);
        tasks.spawn(async move {
            let key = key(&format!("user {user}"));
            (user, backend.acquire_and_load(&key, &Holder::current()).await)
        });
    }
    for (user, opened) in tasks.join_all().await {
        match opened {
            Err(Error::Corrupt { .. }) if user == 7 => {}
            Ok(Opened::Acquired { record: Some(_), .. }) if user != 7 => {}
            other => panic!("{user}: {other:?}"),
        }
    }
}
