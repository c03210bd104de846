//! What arrives together is written together on SQLite, and on PostgreSQL what waits for a connection;
//! each gets an answer of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cogency_state::{DatabaseBackend, Error, Holder, Opened, StateBackend as _};
use cogency_state_tests::database::{PgBouncer, shared_postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;

use crate::places::Database;
use crate::{key, lease, write};

const USERS: usize = 40;

/// Those that let several go together.
fn databases() -> [Database; 2] {
    [Database::sqlite(), Database::postgres()]
}

/// With one connection, for which all others wait.
async fn connected(database: &Database) -> Arc<DatabaseBackend> {
    Arc::new(database.builder().pool_size(1).connect().await.unwrap())
}

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

/// What refuses to store two of the users.
fn refuse_two(database: &Database) {
    let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON {p}states";
    database.run(&match database.name {
        "sqlite" => format!(
            "{refuses} WHEN NEW.user_id IN ('user 7', 'user 9')
             BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        ),
        _ => format!(
            "CREATE FUNCTION {{p}}refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
             {refuses} FOR EACH ROW WHEN (NEW.user_id IN ('user 7', 'user 9'))
             EXECUTE FUNCTION {{p}}refuse()"
        ),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_takes_none_of_the_others_along() {
    for database in databases() {
        let backend = connected(&database).await;
        refuse_two(&database);
        let mut failed = all_at_once(&backend).await;
        failed.sort_by_key(|(user, _)| *user);
        let users: Vec<_> = failed.iter().map(|(user, _)| *user).collect();
        assert_eq!(users, [7, 9], "{}: {failed:?}", database.name);
        let refused = |(_, error): &(_, Error)| matches!(error, Error::Backend { .. });
        assert!(failed.iter().all(refused), "{}: {failed:?}", database.name);
        for user in 0..USERS {
            let found = backend.load_state(&key(&format!("user {user}"))).await.unwrap();
            let found = found.map(|record| record.state);
            let due = (!users.contains(&user)).then(|| user.to_string());
            assert_eq!(found.as_deref(), due.as_deref().map(str::as_bytes), "{user}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_take_one_key_together_one_gets_it() {
    for database in databases() {
        let backend = connected(&database).await;
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
        assert_eq!(taken.count(), 2, "{}", database.name);
    }
}

/// Saves for all again and again, and looks at what is there.
async fn each_gets_its_own(backend: &Arc<DatabaseBackend>, what: &str) {
    for round in 0..5 {
        let failed = all_at_once(backend).await;
        assert!(failed.is_empty(), "{what}: {failed:?}");
        for user in 0..USERS {
            let found = backend.load_state(&key(&format!("user {user}"))).await.unwrap().unwrap();
            assert_eq!(found.state, user.to_string(), "{what}: {user}");
            assert_eq!(found.revision.version, round + 1, "{what}: {user}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_with_others_gets_what_is_its_own() {
    for database in databases() {
        each_gets_its_own(&connected(&database).await, database.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_go_together_behind_a_pooler_and_where_transactions_are_isolated_more() {
    let database = Database::postgres();
    let pooler = PgBouncer::before(shared_postgres());
    let isolated = "options=-c%20default_transaction_isolation%3Dserializable";
    let urls =
        [format!("{}?statement_cache=off", pooler.url()), format!("{}?{isolated}", database.url)];
    for url in urls {
        let builder = DatabaseBackend::builder(&url).prefix(&database.afresh().prefix);
        let backend = builder.pool_size(1).connect().await.unwrap();
        each_gets_its_own(&Arc::new(backend), &url).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_saves_that_wait_for_a_connection_share_a_commit() {
    let database = Database::postgres();
    let backend = connected(&database).await;
    for _ in 0..2 {
        assert!(all_at_once(&backend).await.is_empty());
    }
    let commits = database.number("SELECT count(DISTINCT xmin::text) FROM {p}states");
    assert!(commits < i64::try_from(USERS / 2).unwrap(), "{commits}");
}

/// Takes the leases of all at the same time, and gives the number of transactions that it took.
async fn commits_to_take_all(database: &Database, backend: &Arc<DatabaseBackend>) -> i64 {
    let mut tasks = JoinSet::new();
    for user in 0..USERS {
        let backend = Arc::clone(backend);
        tasks.spawn(async move {
            let key = key(&format!("user {user}"));
            match backend.acquire_and_load(&key, &Holder::current()).await.unwrap() {
                Opened::Acquired { lease, record: Some(_) } => lease,
                other => panic!("{other:?}"),
            }
        });
    }
    let leases = tasks.join_all().await;
    let commits = database.number("SELECT count(DISTINCT xmin::text) FROM {p}leases");
    for lease in leases {
        backend.release_lease(&lease).await.unwrap();
    }
    commits
}

/// Else those with a small one would wait until all of the large ones of others have come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_state_that_is_not_known_to_be_small_is_taken_by_itself() {
    let database = Database::postgres();
    let backend = connected(&database).await;
    assert!(all_at_once(&backend).await.is_empty());
    let all = i64::try_from(USERS).unwrap();
    let commits = commits_to_take_all(&database, &backend).await;
    assert!(commits < all / 2, "{commits}");
    let stranger = connected(&database).await;
    assert_eq!(commits_to_take_all(&database, &stranger).await, all);
}

/// An operator is in the middle of something with one of the states: whoever saves that waits, and
/// nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_lock_on_one_state_holds_up_none_of_the_others() {
    let database = Database::postgres();
    let builder = database.builder().pool_size(2).response_timeout(Duration::from_secs(20));
    let backend = Arc::new(builder.connect().await.unwrap());
    assert!(all_at_once(&backend).await.is_empty());
    let mut prepared = Vec::new();
    for user in 0..USERS {
        let key = key(&format!("user {user}"));
        let found = backend.load_state(&key).await.unwrap().unwrap().revision;
        prepared.push((user, lease(&backend, &key).await, write(&key, Some(found), "\"new\"")));
    }
    let mut operator = PgConnection::connect(&shared_postgres().url()).await.unwrap();
    let lock =
        format!("BEGIN; SELECT FROM {}states WHERE user_id = 'user 7' FOR UPDATE", database.prefix);
    operator.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.unwrap();
    let mut tasks = JoinSet::new();
    for (user, lease, write) in prepared {
        let backend = Arc::clone(&backend);
        tasks.spawn(async move { (user, backend.save_and_release(&lease, &write).await) });
    }
    for _ in 1..USERS {
        let (user, saved) = tasks.join_next().await.unwrap().unwrap();
        assert!(user != 7 && saved.is_ok(), "{user}: {saved:?}");
    }
    operator.execute("COMMIT").await.unwrap();
    let (user, saved) = tasks.join_next().await.unwrap().unwrap();
    assert!(user == 7 && saved.is_ok(), "{user}: {saved:?}");
}

/// Whoever is given up while it waits with others comes to its end all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_are_given_up_take_none_of_the_others_along() {
    for database in databases() {
        let backend = connected(&database).await;
        assert!(all_at_once(&backend).await.is_empty());
        let mut tasks = Vec::new();
        for user in 0..USERS {
            let key = key(&format!("user {user}"));
            let found = backend.load_state(&key).await.unwrap().unwrap().revision;
            let (lease, backend) = (lease(&backend, &key).await, Arc::clone(&backend));
            let write = write(&key, Some(found), "\"new\"");
            let is_begun = Arc::new(AtomicBool::new(false));
            let begins = Arc::clone(&is_begun);
            let save = tokio::spawn(async move {
                begins.store(true, Ordering::SeqCst);
                backend.save_and_release(&lease, &write).await
            });
            tasks.push((user, is_begun, save));
        }
        tokio::task::yield_now().await;
        let (given_up, others): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|(user, ..)| user % 3 == 0);
        for (.., task) in &given_up {
            task.abort();
        }
        for (user, _, task) in others {
            task.await.unwrap().unwrap();
            let found = backend.load_state(&key(&format!("user {user}"))).await.unwrap().unwrap();
            assert_eq!(found.state, "\"new\"", "{}: {user}", database.name);
        }
        for (user, is_begun, task) in given_up {
            drop(task.await);
            let key = key(&format!("user {user}"));
            let due = if is_begun.load(Ordering::SeqCst) { 2 } else { 1 };
            let begun = Instant::now();
            while backend.load_state(&key).await.unwrap().unwrap().revision.version != due {
                assert!(begun.elapsed() < Duration::from_secs(30), "{}: {user}", database.name);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// It is no outage of the file, so nothing of it goes to a spool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_corrupt_and_takes_nobody_along() {
    for database in databases() {
        let backend = connected(&database).await;
        assert!(all_at_once(&backend).await.is_empty());
        database.run(match database.name {
            "sqlite" => {
                "UPDATE {p}states SET metadata = CAST(x'ff' AS TEXT) WHERE user_id = 'user 7'"
            }
            _ => "UPDATE {p}states SET metadata = '[]' WHERE user_id = 'user 7'",
        });
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
                other => panic!("{}: {user}: {other:?}", database.name),
            }
        }
    }
}
