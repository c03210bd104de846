//! The SQL of the guide does what it says.

use cogency_state::{DatabaseBackend, StateBackend as _};
use cogency_state_tests::database::{DatabaseServer, SqliteFile};

use crate::{key, save};

const GUIDE: &str = include_str!("../../docs/databases.md");

/// The statements of the guide for a database: those of each block whose first line names it.
fn statements(database: &str) -> Vec<&'static str> {
    let blocks = GUIDE.split("```sql\n-- ").skip(1).filter_map(|rest| rest.split("```").next());
    let (all, named) = ("all", database);
    let blocks = blocks.filter(|block| block.starts_with(all) || block.starts_with(named));
    let statements =
        blocks.flat_map(|block| block.split_once('\n').map_or("", |it| it.1).split(';'));
    statements.map(str::trim).filter(|statement| !statement.is_empty()).collect()
}

async fn with_a_state(url: &str) -> DatabaseBackend {
    let backend = DatabaseBackend::connect(url).await.unwrap();
    save(&backend, &key("alice"), r#"{"turns":["hello"]}"#).await;
    backend
}

#[tokio::test]
async fn the_guides_sql_runs_on_each_database() {
    assert_eq!(GUIDE.matches("```sql").count(), GUIDE.matches("```sql\n-- ").count());
    let file = SqliteFile::default();
    let _backend = with_a_state(&file.url()).await;
    let of_sqlite = statements("SQLite");
    assert!(of_sqlite.len() >= 4, "{of_sqlite:?}");
    for sql in of_sqlite {
        file.run(sql);
    }

    let server = DatabaseServer::postgres();
    server.run("CREATE ROLE agent LOGIN");
    let backend = with_a_state(&server.url()).await;
    for sql in statements("PostgreSQL") {
        server.run(sql);
    }
    // The last of them is an edit.
    let edited = backend.load_state(&key("alice")).await.unwrap().unwrap();
    assert_eq!(&*edited.state, br#"{"turns":[]}"#);
    let url = server.url_of("agent");
    let granted = DatabaseBackend::builder(&url).never_migrate().connect().await.unwrap();
    save(&granted, &key("alice"), "1").await;

    let server = DatabaseServer::mariadb();
    server.run("CREATE DATABASE agents; CREATE USER agent@'%'");
    let url = |user: &str| server.url_of(user).replace("/cogency", "/agents");
    drop(with_a_state(&url("root")).await);
    for sql in statements("MariaDB") {
        server.run(format!("USE agents; {sql}"));
    }
    let granted = DatabaseBackend::builder(&url("agent")).never_migrate().connect().await.unwrap();
    save(&granted, &key("alice"), "1").await;
}
