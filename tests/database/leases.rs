//! Leases on a database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cogency_state::{DatabaseBackend, Error, Holder, LeaseAttempt, Opened, StateBackend as _};
use cogency_state_tests::database::DatabaseServer;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Decode, Executor, MySqlConnection, PgConnection,
    Row as _, Type,
};

use crate::places::Database;
use crate::{key, lease, save, write};

const TAKERS: usize = 6;
const ROUNDS: Duration = Duration::from_secs(3);

/// Whoever takes a lease while another saves waits for that save in the database, and must see what
/// it left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gets_a_lease_finds_what_the_one_before_saved() {
    for database in Database::each() {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut takers = Vec::new();
        for _ in 0..TAKERS {
            let backend = database.connect().await;
            takers.push(tokio::spawn(take_and_save(backend, Arc::clone(&is_over))));
        }
        tokio::time::sleep(ROUNDS).await;
        is_over.store(true, Ordering::SeqCst);
        let mut saves = 0;
        for taker in takers {
            saves += taker.await.unwrap();
        }
        let record = database.connect().await.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(record.revision.version, saves, "{}", database.name);
        assert!(saves > 20, "{} made {saves} saves", database.name);
    }
}

/// A clock that was looked at before a wait would give a token below those of others, who came and
/// went meanwhile.
async fn assert_a_wait_comes_before_the_token<C: Connection>(
    database: &Database,
    lock: String,
    clock: &'static str,
    unlock: String,
) where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
    for<'r> i64: Decode<'r, C::Database> + Type<C::Database>,
    usize: ColumnIndex<<C::Database as sqlx::Database>::Row>,
{
    let backend = database.connect().await;
    let mut other = C::connect(&database.url).await.unwrap();
    other.execute(AssertSqlSafe(lock)).await.unwrap();
    let taking = tokio::spawn(async move { lease(&backend, &key("alice")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let row = other.fetch_one(clock).await.unwrap();
    let looked = row.get::<i64, usize>(0);
    other.execute(AssertSqlSafe(unlock)).await.unwrap();
    let token = taking.await.unwrap().token();
    assert!(token >= u64::try_from(looked).unwrap(), "{token} is below {looked}");
}

#[tokio::test]
async fn on_postgres_whoever_waits_for_a_lease_looks_at_the_clock_after_that() {
    let key = "hashtextextended('alice', hashtextextended('default', 0))";
    assert_a_wait_comes_before_the_token::<PgConnection>(
        &Database::postgres(),
        format!("SELECT pg_advisory_lock({key})"),
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        format!("SELECT pg_advisory_unlock({key})"),
    )
    .await;
}

#[tokio::test]
async fn on_mariadb_whoever_waits_for_a_lease_looks_at_the_clock_after_that() {
    let database = Database::mariadb();
    let name = format!(
        "CONCAT('{}', MD5(CONCAT(DATABASE(), CHAR(0), 'alice', CHAR(0), 'default')))",
        database.prefix
    );
    assert_a_wait_comes_before_the_token::<MySqlConnection>(
        &database,
        format!("SELECT GET_LOCK({name}, 5)"),
        "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
        format!("SELECT RELEASE_LOCK({name})"),
    )
    .await;
}

pub(crate) async fn take_and_save(backend: DatabaseBackend, is_over: Arc<AtomicBool>) -> u64 {
    let mut saves = 0;
    while !is_over.load(Ordering::SeqCst) {
        let opened = backend.acquire_and_load(&key("alice"), &Holder::current()).await.unwrap();
        let Opened::Acquired { lease, record } = opened else { continue };
        // Large enough that others come while it is on its way.
        let text = format!("\"{}\"", "x".repeat(100_000));
        let write = write(&key("alice"), record.map(|record| record.revision), text);
        backend.save_and_release(&lease, &write).await.unwrap();
        saves += 1;
    }
    saves
}

const CALLS: i64 = 100;
/// How often a server has waited for the disk under its log.
const OF_POSTGRES: &str = "SELECT wal_sync FROM pg_stat_wal";
const OF_MARIADB: &str = "SELECT CAST(VARIABLE_VALUE AS SIGNED) \
    FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_DATA_FSYNCS'";

/// How often a server waited for its disk while this many leases or saves came, more or less.
async fn synced<W: Future<Output = ()>>(
    server: &DatabaseServer,
    counter: &str,
    work: impl Fn(DatabaseBackend) -> W,
) -> i64 {
    // A session that ends says what it did.
    let synced = || server.number(counter);
    let before = synced();
    let backend = DatabaseBackend::connect(&server.url()).await.unwrap();
    for _ in 0..CALLS {
        work(backend.clone()).await;
    }
    drop(backend);
    tokio::time::sleep(Duration::from_secs(2)).await;
    synced() - before
}

async fn take_and_give_back(backend: DatabaseBackend) {
    let lease = lease(&backend, &key("alice")).await;
    backend.renew_lease(&lease).await.unwrap();
    backend.release_lease(&lease).await.unwrap();
}

async fn call(backend: DatabaseBackend) {
    save(&backend, &key("alice"), "1").await;
}

#[tokio::test]
async fn on_postgres_a_lease_does_not_wait_for_the_disk_and_a_save_does() {
    let server = DatabaseServer::postgres();
    let of_leases = synced(&server, OF_POSTGRES, take_and_give_back).await;
    assert!(of_leases < CALLS, "{CALLS} leases were synced {of_leases} times");
    let of_saves = synced(&server, OF_POSTGRES, call).await;
    assert!(of_saves >= CALLS, "{CALLS} saves were synced {of_saves} times");
    assert!(of_saves < 2 * CALLS, "{CALLS} calls were synced {of_saves} times");
}

#[tokio::test]
async fn on_mariadb_a_lease_does_not_wait_for_the_disk_and_a_save_does_once() {
    let server = DatabaseServer::mariadb();
    server.restart_with(&["--innodb-flush-log-at-trx-commit=1"]);
    drop(DatabaseBackend::connect(&server.url()).await.unwrap());
    let of_leases = synced(&server, OF_MARIADB, take_and_give_back).await;
    assert!(of_leases < CALLS / 2, "{CALLS} leases were synced {of_leases} times");
    let of_saves = synced(&server, OF_MARIADB, call).await;
    assert!(of_saves >= CALLS, "{CALLS} saves were synced {of_saves} times");
    assert!(of_saves < CALLS * 3 / 2, "{CALLS} calls were synced {of_saves} times");
}

/// All leases are gone with the memory of the server. Until those who had one could renew it nobody
/// takes one.
#[tokio::test]
async fn on_mariadb_a_lease_outlives_the_server_wherever_it_stands() {
    for engine in ["MEMORY", "InnoDB"] {
        let server = DatabaseServer::mariadb();
        let builder = || DatabaseBackend::builder(&server.url()).lease_ttl(Duration::from_secs(3));
        let (ours, theirs) =
            (builder().connect().await.unwrap(), builder().connect().await.unwrap());
        server.run(format!(
            "ALTER TABLE cogency_leases_began ENGINE = {engine}; \
             ALTER TABLE cogency_leases ENGINE = {engine}"
        ));
        let (renewed, saved) = (lease(&ours, &key("alice")).await, lease(&ours, &key("bob")).await);
        let forgotten = lease(&ours, &key("carol")).await;
        server.kill();
        server.start();
        for user in ["alice", "bob", "carol"] {
            let held = theirs.acquire_lease(&key(user), &Holder::current()).await.unwrap();
            assert!(matches!(held, LeaseAttempt::Held(_)), "{engine}, {user}: {held:?}");
        }
        ours.renew_lease(&renewed).await.unwrap();
        ours.save_and_release(&saved, &write(&key("bob"), None, "1")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        ours.renew_lease(&renewed).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let held = theirs.acquire_lease(&key("alice"), &Holder::current()).await.unwrap();
        assert!(matches!(held, LeaseAttempt::Held(_)), "{engine}: {held:?}");
        for user in ["bob", "carol"] {
            let taken = lease(&theirs, &key(user)).await;
            theirs.release_lease(&taken).await.unwrap();
        }
        let lost = ours.save_state(&forgotten, &write(&key("carol"), None, "1")).await;
        assert!(matches!(lost, Err(Error::LeaseLost { .. })), "{engine}: {lost:?}");
        ours.save_and_release(&renewed, &write(&key("alice"), None, "1")).await.unwrap();
    }
}

/// It stood still for longer than its lease. What a start of the server forgets is on the disk.
#[tokio::test]
async fn on_mariadb_who_lost_a_lease_does_not_get_it_back_by_a_start_of_the_server() {
    let server = DatabaseServer::mariadb();
    let builder = || DatabaseBackend::builder(&server.url()).lease_ttl(Duration::from_secs(3));
    let (paused, other) = (builder().connect().await.unwrap(), builder().connect().await.unwrap());
    let lost = lease(&paused, &key("alice")).await;
    server.run("UPDATE cogency_leases SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND");
    let taken = lease(&other, &key("alice")).await;
    server.kill();
    server.start();
    let saved = paused.save_state(&lost, &write(&key("alice"), None, "1")).await;
    // Its connection was lost too, so that it may be told to be in doubt.
    assert!(saved.is_err());
    assert_eq!(other.load_state(&key("alice")).await.unwrap(), None);
    other.save_and_release(&taken, &write(&key("alice"), None, "2")).await.unwrap();
}

/// The lease has run out, and its holder came in time all the same. Who comes then is told to wait,
/// also if that takes long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_nobody_takes_a_lease_while_a_save_under_it_is_on_its_way() {
    let (database, alice) = (Database::mariadb(), key("alice"));
    let ours = database.connect().await;
    save(&ours, &alice, "1").await;
    let opened = ours.acquire_and_load(&alice, &Holder::current()).await.unwrap();
    let Opened::Acquired { lease: held, record: Some(found) } = opened else {
        panic!("{opened:?}")
    };
    database.run("UPDATE {p}leases SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND");

    let mut other = MySqlConnection::connect(&database.url).await.unwrap();
    let lock = format!("BEGIN; SELECT version FROM {}states FOR UPDATE", database.prefix);
    other.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.unwrap();
    let write = write(&alice, Some(found.revision), "2");
    let saving = tokio::spawn({
        let (ours, write) = (ours.clone(), write.clone());
        async move { ours.save_and_release(&held, &write).await }
    });
    let waiting = "SELECT COUNT(*) FROM information_schema.INNODB_TRX \
        WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%{p}states%'";
    let begun = Instant::now();
    while database.number(waiting) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the save does not wait");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let theirs = database.connect().await;
    let early = theirs.acquire_lease(&alice, &Holder::current()).await.unwrap();
    assert!(matches!(early, LeaseAttempt::Held(_)), "{early:?}");
    other.execute(sqlx::raw_sql("COMMIT")).await.unwrap();
    saving.await.unwrap().unwrap();

    let opened = theirs.acquire_and_load(&alice, &Holder::current()).await.unwrap();
    let Opened::Acquired { record: Some(found), .. } = opened else { panic!("{opened:?}") };
    assert_eq!(found, write.record);
}

/// A server that starts with a clock that is ahead, until somebody tells it the time.
#[tokio::test]
async fn on_mariadb_a_clock_that_is_set_back_after_a_start_keeps_nobody_waiting() {
    let database = Database::mariadb();
    let builder = database.builder().lease_ttl(Duration::from_millis(500));
    let backend = builder.connect().await.unwrap();
    database.run("UPDATE {p}leases_began SET free_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR");
    let begun = Instant::now();
    let holder = Holder::current();
    while let LeaseAttempt::Held(_) = backend.acquire_lease(&key("alice"), &holder).await.unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody gets a lease");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As on Redis, a day after its holder died; in memory they would fill up their table.
#[tokio::test]
async fn on_mariadb_leases_of_those_who_died_long_ago_make_room_for_others() {
    let server = DatabaseServer::mariadb();
    server.restart_with(&["--max-heap-table-size=65536"]);
    let backend = DatabaseBackend::connect(&server.url()).await.unwrap();
    let holder = Holder::current();
    let mut taken = 0;
    let full = loop {
        match backend.acquire_lease(&key(&format!("user-{taken}")), &holder).await {
            Ok(LeaseAttempt::Acquired(_)) => taken += 1,
            Ok(held) => panic!("{held:?}"),
            Err(full) => break full,
        }
        assert!(taken < 10_000, "there is room for more");
    };
    assert!(full.to_string().contains("max_heap_table_size"), "{full}");
    server.run(
        "UPDATE cogency_leases SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 25 HOUR \
         WHERE user_id = 'user-1'",
    );
    lease(&backend, &key("alice")).await;
    assert_eq!(server.number("SELECT COUNT(*) FROM cogency_leases"), taken);
}

/// Rows in memory that a replica has lost would stop it.
#[tokio::test]
async fn on_mariadb_leases_stay_on_the_disk_where_there_may_be_replicas() {
    for (settings, engine) in [(&[][..], "MEMORY"), (&["--log-bin", "--server-id=1"][..], "InnoDB")]
    {
        let server = DatabaseServer::mariadb();
        server.restart_with(settings);
        let backend = DatabaseBackend::connect(&server.url()).await.unwrap();
        save(&backend, &key("alice"), "1").await;
        let of_engine = format!(
            "SELECT COUNT(*) FROM information_schema.TABLES \
             WHERE TABLE_NAME IN ('cogency_leases', 'cogency_leases_began') AND ENGINE = '{engine}'"
        );
        assert_eq!(server.number(&of_engine), 2, "{settings:?}");
    }
}

#[tokio::test]
async fn a_postgres_that_does_not_wait_for_its_disk_does_so_for_a_save() {
    let server = DatabaseServer::postgres();
    server.run("ALTER ROLE root SET synchronous_commit = off");
    let of_saves = synced(&server, OF_POSTGRES, call).await;
    assert!(of_saves >= CALLS, "{CALLS} saves were synced {of_saves} times");
}

#[tokio::test]
async fn the_clock_that_counts_is_the_databases() {
    // A lease that ends in the past by the clock of the database is free, whatever ours says.
    for database in Database::each() {
        let backend = database.connect().await;
        let first = lease(&backend, &key("alice")).await;
        let past = match database.name {
            "postgres" => "now() - interval '1 second'",
            "mariadb" => "UTC_TIMESTAMP(6) - INTERVAL 1 SECOND",
            _ => "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 second')",
        };
        database.run(&format!("UPDATE {{p}}leases SET expires_at = {past}"));
        let second = lease(&backend, &key("alice")).await;
        assert!(second.token() > first.token());
        let lost = backend.save_state(&first, &write(&key("alice"), None, "1")).await;
        assert!(matches!(lost, Err(Error::LeaseLost { .. })), "{lost:?}");
    }
}

/// A renewal and a release do not wait for calls on other keys.
#[tokio::test]
async fn first_saves_of_many_keys_do_not_stand_in_each_others_way() {
    for database in Database::each() {
        let begun = Instant::now();
        let mut calls = Vec::new();
        for number in 0..60 {
            let backend = match number % 6 {
                0 => Arc::new(database.connect().await),
                _ => Arc::clone(calls.last().map(|(backend, _)| backend).unwrap()),
            };
            let own = Arc::clone(&backend);
            let call = tokio::spawn(async move {
                save(&own, &key(&format!("user-{number}")), "1").await;
            });
            calls.push((backend, call));
        }
        for (_, call) in calls {
            call.await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", database.name);
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}states"), 60);
    }
}
