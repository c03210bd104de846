//! What is stored comes back as it was, and the database can read it.

use cogency_state::{Durability, StateBackend as _};

use crate::places::Database;
use crate::{key, save};

/// JSON that some database or parser would not give back as it was.
const TEXTS: [&str; 12] = [
    r#"{"a":1,"a":2}"#,
    r#"{"b":1,"a":2,"":3}"#,
    r#"{"nul":"\u0000","escaped\u0000":1}"#,
    r#"{"lone":"\ud800","reversed":"\udc00\ud800"}"#,
    "[1e999,-1e-999,1.0,1.00,-0,-0.0,0.1e+2,100000000000000000000000000000000000000001]",
    r#"{"slash":"\/","unicode":"é","itself":"é日本🤖"}"#,
    " {\n\t\"spaced\" : [ 1 , 2 ]\r\n} ",
    r#""a text alone""#,
    "null",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    r#"{"quotes":"it's \"so\"; DROP TABLE cogency_states; -- \\"}"#,
    r#"{"trailing":"spaces   "}"#,
];

#[tokio::test]
async fn json_comes_back_byte_for_byte_whatever_a_database_thinks_of_it() {
    for database in Database::each() {
        let backend = database.connect().await;
        for text in TEXTS {
            save(&backend, &key("alice"), text).await;
            let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
            assert_eq!(std::str::from_utf8(&record.state), Ok(text), "{}", database.name);
        }
    }
}

#[tokio::test]
async fn the_database_itself_reads_what_is_in_a_state() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), r#"{"turns":["hello"],"count":42}"#).await;
        let count = database.number(match database.name {
            "postgres" => {
                "SELECT (state->>'count')::bigint FROM {p}current WHERE user_id = 'alice'"
            }
            _ => {
                "SELECT CAST(JSON_EXTRACT(state, '$.count') AS SIGNED) FROM {p}current \
                 WHERE user_id = 'alice'"
            }
        });
        assert_eq!(count, 42, "{}", database.name);
    }
}

#[tokio::test]
async fn what_is_known_about_a_state_stands_in_typed_columns() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), "1").await;
        save(&backend, &key("alice"), "2").await;
        let clock = match database.name {
            "postgres" => {
                "saved_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()"
            }
            "mariadb" => {
                "saved_at BETWEEN UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE AND UTC_TIMESTAMP(6)"
            }
            _ => {
                "saved_at BETWEEN datetime('now', '-1 minute') AND strftime('%Y-%m-%d %H:%M:%f', 'now')"
            }
        };
        let rows = database.number(&format!(
            "SELECT COUNT(*) FROM {{p}}states WHERE user_id = 'alice' AND session_id = 'default' \
             AND version = 2 AND schema_version = '1.0' AND provider = 'unknown' \
             AND model = 'unknown' AND phase IS NULL AND expires_at IS NULL \
             AND LENGTH(write_id) = 36 AND LENGTH(checksum) = 16 AND saved_by LIKE '%:{}' AND {clock}",
            std::process::id()
        ));
        assert_eq!(rows, 1, "{}", database.name);
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}leases"), 0, "{}", database.name);
    }
}

#[tokio::test]
async fn a_state_that_was_edited_is_refused_until_its_checksum_is_taken_away() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), "1").await;
        database.run("UPDATE {p}states SET state = '2'");
        let error = backend.load_state(&key("alice")).await.unwrap_err();
        assert!(error.to_string().contains("`checksum` to null"), "{error}");
        database.run("UPDATE {p}states SET checksum = NULL");
        let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(&*record.state, b"2");
    }
}

#[tokio::test]
async fn what_another_version_of_the_library_wrote_is_named_and_left() {
    for database in Database::each() {
        let backend = database.connect().await;
        save(&backend, &key("alice"), "1").await;
        database.run("UPDATE {p}states SET schema_version = '2.0'");
        let error = backend.load_state(&key("alice")).await.unwrap_err();
        assert!(matches!(error, cogency_state::Error::SchemaVersion { .. }), "{error}");
        for column in ["write_id = 'none'", "metadata = '[]'", "version = -1", "checksum = '?'"] {
            database.run(&format!("UPDATE {{p}}states SET schema_version = '1.0', {column}"));
            let error = backend.load_state(&key("alice")).await.unwrap_err();
            assert!(matches!(error, cogency_state::Error::Corrupt { .. }), "{column}: {error}");
        }
    }
}

#[tokio::test]
async fn the_servers_settings_say_what_an_acknowledged_save_survives() {
    for (database, due) in Database::each().iter().zip([
        Durability::PowerCut,
        // The servers that tests share do not sync.
        Durability::Restart,
        Durability::Restart,
    ]) {
        assert_eq!(database.connect().await.capabilities().durability, due, "{}", database.name);
    }
}
