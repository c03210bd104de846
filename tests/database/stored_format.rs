//! What stands in a row is frozen: each column has the text that it always had.

use std::time::{Duration, UNIX_EPOCH};

use cogency_state::{
    DatabaseBackend, Metadata, Record, Revision, SavedAt, StateBackend as _, Write,
};
use cogency_state_tests::database::SqliteFile;

use crate::places::Database;
use crate::{key, lease, save};

const STATE: &str = r#"{"turns":["hello","\u0000"],"cost":0.1,"n":18446744073709551615}"#;
const METADATA: &str = concat!(
    r#"{"llm_provider":"openai","llm_model":"gpt-4","tools_count":3,"memory_backend":"vectors","#,
    r#""saved_at":"2026-01-31T12:00:00.000001Z","phase_completed":"reasoning","state_version":3,"#,
    r#""actor":"anna","team":["blue"]}"#
);

fn record() -> Record {
    let mut metadata = Metadata::default();
    metadata.llm_provider = "openai".into();
    metadata.llm_model = "gpt-4".into();
    metadata.tools_count = 3;
    metadata.memory_backend = "vectors".into();
    let saved_at = UNIX_EPOCH + Duration::from_micros(1_769_860_800_000_001);
    metadata.saved_at = Some(SavedAt::Time(saved_at));
    metadata.phase_completed = Some("reasoning".into());
    metadata.state_version = Some(3);
    metadata.actor = Some("anna".into());
    metadata.custom.insert("team".to_owned(), serde_json::json!(["blue"]));
    let write_id = "2f1c9a4e-5b7d-4c1e-9f00-0123456789ab".parse().unwrap();
    let revision = Revision { version: 42, write_id };
    Record::new(key("alice"), revision, Some("agent::Chat".into()), metadata, STATE.into())
}

#[tokio::test]
async fn a_row_is_written_and_read_as_it_always_was() {
    for database in Database::each() {
        let backend = database.builder().whole_up_to(1 << 16).connect().await.unwrap();
        let lease = lease(&backend, &key("alice")).await;
        backend.save_and_release(&lease, &Write::new(record(), None)).await.unwrap();
        let text = |column: &str| match database.name {
            "postgres" => format!("{column}::text"),
            _ => column.to_owned(),
        };
        // A backslash in a string means something to MariaDB.
        let quoted = |value: &str| match database.name {
            "mariadb" => format!("'{}'", value.replace('\\', "\\\\")),
            _ => format!("'{value}'"),
        };
        let columns = [
            ("user_id", "alice"),
            ("session_id", "default"),
            ("write_id", "2f1c9a4e-5b7d-4c1e-9f00-0123456789ab"),
            ("schema_version", "1.0"),
            ("state_type", "agent::Chat"),
            ("provider", "openai"),
            ("model", "gpt-4"),
            ("phase", "reasoning"),
            ("checksum", "4e82d25c3ad6c66f"),
            ("metadata", METADATA),
            ("state", STATE),
        ];
        for (column, due) in columns {
            let sql = format!(
                "SELECT COUNT(*) FROM {{p}}states WHERE {} = {}",
                text(column),
                quoted(due)
            );
            assert_eq!(database.number(&sql), 1, "{}: {column}", database.name);
        }
        let sql = "SELECT COUNT(*) FROM {p}states WHERE version = 42 AND expires_at IS NULL";
        assert_eq!(database.number(sql), 1, "{}", database.name);
        assert_eq!(backend.load_state(&key("alice")).await.unwrap(), Some(record()));
    }
}

/// A save writes whole pages, and little changes in each.
#[tokio::test]
async fn a_new_sqlite_file_has_small_pages_and_one_that_is_there_keeps_its_own() {
    for (made_with, due) in [(None, 1024), (Some(4096), 4096)] {
        let file = SqliteFile::default();
        if let Some(bytes) = made_with {
            std::fs::File::create(file.path()).unwrap();
            file.run(format!("PRAGMA page_size = {bytes}; CREATE TABLE theirs (number INTEGER)"));
        }
        let backend = DatabaseBackend::connect(&file.url()).await.unwrap();
        save(&backend, &key("alice"), "1").await;
        assert_eq!(file.number("PRAGMA page_size"), due);
    }
}
