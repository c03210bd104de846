//! Databases that refuse: each says why, and nothing changed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use cogency_state::query::state;
use cogency_state::{
    Aside, AsideReason, BlobId, DatabaseBackend, Error, HistoryBackend as _, Retention,
    StateBackend as _,
};
use cogency_state_tests::database::{DatabaseServer, SqliteFile, shared_mariadb, shared_postgres};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::places::Database;
use crate::upgrades::{earlier, of_version};
use crate::{all_of, key, lease, save, write};

/// A user's own text in an error is a state's content.
const SECRET: &str = "hunter2";

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, because: &str) {
    let error = result.unwrap_err();
    let said = all_of(&error);
    assert!(matches!(error, Error::Backend { .. }), "{said}");
    assert!(said.contains(because), "{because}: {said}");
    assert!(!said.contains(SECRET) && !said.contains("sesame"), "{said}");
}

async fn stored(backend: &DatabaseBackend, user: &str) -> String {
    let record = backend.load_state(&key(user)).await.unwrap().unwrap();
    String::from_utf8(record.state.to_vec()).unwrap()
}

fn large(megabytes: usize) -> String {
    format!("\"{SECRET}{}\"", "x".repeat(megabytes << 20))
}

#[tokio::test]
async fn a_mariadb_that_is_read_only_says_so_and_works_again_when_it_is_not() {
    let server = DatabaseServer::mariadb();
    drop(DatabaseBackend::connect(&server.url()).await.unwrap());
    // Whoever may do everything may write in any case.
    let url = server.url_of("guarded:open%20sesame");
    let backend = DatabaseBackend::connect(&url).await.unwrap();
    save(&backend, &key("alice"), "1").await;
    let before = backend.load_state(&key("alice")).await.unwrap().unwrap().revision;
    let held = lease(&backend, &key("alice")).await;
    server.run("SET GLOBAL read_only = 1");
    let text = format!("\"{SECRET}\"");
    let write = write(&key("alice"), Some(before), text);
    refused(backend.save_state(&held, &write).await, "it is read-only");
    refused(backend.delete_state(&held).await, "it is read-only");
    let holder = cogency_state::Holder::current();
    refused(backend.acquire_and_load(&key("bob"), &holder).await, "it is read-only");
    assert_eq!(stored(&backend, "alice").await, "1");
    server.run("SET GLOBAL read_only = 0");
    backend.save_and_release(&held, &write).await.unwrap();
    save(&backend, &key("bob"), "1").await;
}

#[tokio::test]
async fn a_state_above_mariadbs_largest_packet_is_refused_and_the_next_one_is_saved() {
    let server = DatabaseServer::mariadb();
    server.run("SET GLOBAL max_allowed_packet = 1048576");
    let backend = DatabaseBackend::connect(&server.url()).await.unwrap();
    save(&backend, &key("alice"), "1").await;
    let before = backend.load_state(&key("alice")).await.unwrap().unwrap().revision;
    let held = lease(&backend, &key("alice")).await;
    for megabytes in [1, 2, 20] {
        let write = write(&key("alice"), Some(before), large(megabytes));
        refused(backend.save_state(&held, &write).await, "max_allowed_packet");
        assert_eq!(stored(&backend, "alice").await, "1");
    }
    backend.release_lease(&held).await.unwrap();
    save(&backend, &key("alice"), "2").await;
}

#[tokio::test]
async fn a_state_that_mariadb_cannot_quote_in_a_query_stays_in_what_does_not_ask_for_its_fields() {
    let server = DatabaseServer::mariadb();
    server.run("SET GLOBAL max_allowed_packet = 1048576");
    let backend = DatabaseBackend::connect(&server.url()).await.unwrap();
    // Quoted, each of its quotation marks takes a backslash more.
    save(&backend, &key("alice"), &format!("[\"{}\"]", "\\\"".repeat(300_000))).await;
    save(&backend, &key("bob"), "[1]").await;
    let count = async |filter| backend.count_states(&filter).await.unwrap();
    assert_eq!(count(state("$[0]").eq(1)).await, 1);
    assert_eq!(count(!state("$[0]").eq(1)).await, 1);
    assert_eq!(count(!state("$[0]").eq(2)).await, 2);
}

/// What comes from one goes to the other, but for comments that only MariaDB heeds: those are plain
/// ones, as they are to MySQL.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let passed = &mut bytes[..length];
        if let Some(at) = passed.windows(4).position(|bytes| bytes == b"/*M!") {
            passed[at + 2] = b' ';
        }
        if to.write_all(passed).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// The port of a server that is no MariaDB.
fn like_mysql(server: &'static DatabaseServer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), ("127.0.0.1", server.port()));
            let server = TcpStream::connect(server).unwrap();
            let (client_too, server_too) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass_on(client, server));
            thread::spawn(move || pass_on(server_too, client_too));
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_is_not_mariadb_is_refused_before_anything_is_made_in_it() {
    let (server, database) = (shared_mariadb(), Database::mariadb());
    let (real, like) = (format!(":{}/", server.port()), format!(":{}/", like_mysql(server)));
    let url = database.full_url().replace(&real, &like);
    refused(DatabaseBackend::connect(&url).await, "it is not MariaDB 10.6 or newer");
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name LIKE '{p}%'";
    assert_eq!(database.number(tables), 0);
    save(&database.connect().await, &key("alice"), "1").await;
}

#[tokio::test]
async fn a_postgres_database_that_is_not_in_utf8_is_refused_before_anything_is_made_in_it() {
    let server = shared_postgres();
    server.run(
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    );
    let url = server.url().replace("/postgres", "/latin");
    refused(DatabaseBackend::connect(&url).await, "its encoding is not UTF8");
    let lazy = DatabaseBackend::new(&url).unwrap();
    refused(lazy.load_state(&key("alice")).await, "its encoding is not UTF8");
}

#[tokio::test]
async fn on_postgres_whoever_has_no_rights_is_told_and_the_documented_ones_are_enough() {
    let server = shared_postgres();
    server.run(
        "DO $$ BEGIN CREATE ROLE guarded LOGIN PASSWORD 'open sesame'; \
         EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    );
    let database = Database::postgres();
    drop(database.connect().await);
    let url = server.url_of("guarded:open%20sesame");
    let builder = || DatabaseBackend::builder(&url).prefix(&database.prefix).never_migrate();
    let rights = "grant the user the rights";
    refused(builder().connect().await, rights);
    database.run("GRANT SELECT ON {p}migrations, {p}indexes TO guarded");
    let backend = builder().connect().await.unwrap();
    let holder = cogency_state::Holder::current();
    refused(backend.acquire_lease(&key("alice"), &holder).await, rights);
    refused(backend.load_state(&key("alice")).await, rights);
    refused(backend.list_states("alice").await, rights);
    database.run(
        "GRANT SELECT, INSERT, UPDATE, DELETE \
         ON {p}states, {p}leases, {p}history, {p}heads, {p}aside, {p}blobs TO guarded",
    );
    works_with_all_tables(&backend).await;
    // Who may not make tables is told so, too.
    let fresh = DatabaseBackend::builder(&url).prefix("fresh_").connect().await;
    refused(fresh, rights);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_is_locked_during_a_save_is_said_to_be_and_left() {
    let file = SqliteFile::default();
    let builder = DatabaseBackend::builder(&file.url()).retry_for(Duration::from_millis(100));
    let backend = builder.connect().await.unwrap();
    save(&backend, &key("alice"), "1").await;
    let before = backend.load_state(&key("alice")).await.unwrap().unwrap().revision;
    let held = lease(&backend, &key("alice")).await;
    let mut other = SqliteConnectOptions::new().filename(file.path()).connect().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let write = write(&key("alice"), Some(before), format!("\"{SECRET}\""));
    refused(backend.save_state(&held, &write).await, "locked");
    assert_eq!(stored(&backend, "alice").await, "1");
    other.execute("ROLLBACK").await.unwrap();
    backend.renew_lease(&held).await.unwrap();
    backend.save_and_release(&held, &write).await.unwrap();
}

#[tokio::test]
async fn a_sqlite_file_that_is_damaged_is_left_as_it_is() {
    let file = SqliteFile::default();
    let backend = DatabaseBackend::connect(&file.url()).await.unwrap();
    for user in 0..50 {
        save(&backend, &key(&format!("user-{user}")), &format!("\"{}\"", "x".repeat(2000))).await;
    }
    drop(backend);
    file.run("PRAGMA wal_checkpoint(TRUNCATE)");
    let mut bytes = fs::read(file.path()).unwrap();
    bytes[4096..].fill(0xA5);
    fs::write(file.path(), &bytes).unwrap();
    let backend = DatabaseBackend::new(&file.url()).unwrap();
    let holder = cogency_state::Holder::current();
    refused(backend.acquire_and_load(&key("user-7"), &holder).await, "damaged");
    refused(backend.load_state(&key("user-7")).await, "damaged");
    drop(backend);
    assert!(fs::read(file.path()).unwrap() == bytes, "somebody wrote to it");
}

#[tokio::test]
async fn mariadbs_documented_rights_are_enough() {
    let server = shared_mariadb();
    let database = Database::mariadb();
    drop(database.connect().await);
    server.run(format!(
        "CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'open sesame'; \
         GRANT SELECT ON cogency.{0}migrations TO plain@'%'; \
         GRANT SELECT ON cogency.{0}indexes TO plain@'%'",
        database.prefix
    ));
    let url = server.url_of("plain:open%20sesame");
    let builder = || DatabaseBackend::builder(&url).prefix(&database.prefix).never_migrate();
    let backend = builder().connect().await.unwrap();
    let rights = "grant the user the rights";
    refused(backend.load_state(&key("alice")).await, rights);
    let holder = cogency_state::Holder::current();
    refused(backend.acquire_lease(&key("alice"), &holder).await, rights);
    let tables =
        ["states", "leases", "leases_began", "leases_lost", "history", "heads", "aside", "blobs"];
    let tables = tables.map(|table| {
        let prefix = &database.prefix;
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON cogency.{prefix}{table} TO plain@'%'")
    });
    let procedures = [
        "busy",
        "hold",
        "take",
        "renew",
        "save",
        "delete",
        "enter",
        "prune",
        "set_aside",
        "restore_aside",
        "drop_aside",
        "save_blob",
        "remove_blob",
        "remove_expired",
    ]
    .map(|procedure| {
        format!("GRANT EXECUTE ON PROCEDURE cogency.{}{procedure} TO plain@'%'", database.prefix)
    });
    let functions = ["changed", "whole"].map(|function| {
        format!("GRANT EXECUTE ON FUNCTION cogency.{}{function} TO plain@'%'", database.prefix)
    });
    let procedures = procedures.into_iter().chain(functions);
    server.run(tables.into_iter().chain(procedures).collect::<Vec<_>>().join("; "));
    let backend = builder().connect().await.unwrap();
    works_with_all_tables(&backend).await;
}

/// An operator who upgrades the tables grants what is new, and nothing anew.
#[tokio::test]
async fn an_upgrade_takes_nobody_a_right_to_mariadbs_procedures() {
    let database = Database::mariadb();
    of_version(earlier(&database).len(), &database, &[]);
    let rights = format!(
        "SELECT COUNT(*) FROM mysql.procs_priv \
         WHERE User = 'upgraded' AND Routine_name LIKE '{}%'",
        database.prefix
    );
    let procedures = ["take", "renew", "save", "delete", "set_aside", "restore_aside"];
    let procedures = procedures.iter().chain(&["save_blob", "remove_blob"]);
    let grants = procedures.map(|procedure| {
        let prefix = &database.prefix;
        format!("GRANT EXECUTE ON PROCEDURE cogency.{prefix}{procedure} TO upgraded@'%'")
    });
    let grants = grants.collect::<Vec<_>>().join("; ");
    shared_mariadb().run(format!("CREATE OR REPLACE USER upgraded@'%'; {grants}"));
    let before = database.number(&rights);
    assert_eq!(before, 8);
    drop(database.connect().await);
    assert_eq!(database.number(&rights), before);
}

/// Does what needs each table and each right.
async fn works_with_all_tables(backend: &DatabaseBackend) {
    let alice = key("alice");
    save(backend, &alice, "1").await;
    save(backend, &alice, "2").await;
    let held = lease(backend, &alice).await;
    let aside = Aside::new(alice.clone(), AsideReason::Corrupt);
    assert!(backend.set_aside(&held, &aside).await.unwrap());
    assert_eq!(backend.list_aside(None).await.unwrap().len(), 1);
    assert!(backend.restore_aside(&held, aside.id).await.unwrap());
    assert!(!backend.drop_aside(&alice, aside.id).await.unwrap());
    backend.renew_lease(&held).await.unwrap();
    let (blobs, bytes) = (backend.blobs().unwrap(), Bytes::from_static(b"an image"));
    blobs.save_blob(&held, BlobId::of(&bytes), &bytes).await.unwrap();
    assert!(blobs.load_blob(&alice, BlobId::of(&bytes)).await.unwrap().is_some());
    blobs.remove_blobs(&held, &[BlobId::of(&bytes)]).await.unwrap();
    assert!(backend.delete_state(&held).await.unwrap());
    backend.release_lease(&held).await.unwrap();
    backend.verify_history(&alice).await.unwrap();
    backend.prune_history(&alice, Retention::Versions(1)).await.unwrap();
    backend.remove_expired().await.unwrap();
}

#[tokio::test]
async fn mariadbs_documented_rights_to_make_the_tables_are_enough() {
    let database = Database::mariadb();
    shared_mariadb().run(
        "CREATE OR REPLACE USER maker@'%' IDENTIFIED BY 'open sesame'; \
         GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, CREATE, ALTER, INDEX, CREATE VIEW, \
         CREATE ROUTINE, ALTER ROUTINE ON cogency.* TO maker@'%'",
    );
    let url = shared_mariadb().url_of("maker:open%20sesame");
    let backend = DatabaseBackend::builder(&url).prefix(&database.prefix).connect().await.unwrap();
    save(&backend, &key("alice"), "1").await;
}
