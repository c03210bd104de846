//! The stored format is frozen, byte for byte: what one version of the library wrote, every later
//! one reads, and those beside it too. A change of it is a new schema version, and new fixtures
//! beside these. (Rows of databases: `tests/database/stored_format.rs`.)

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use cogency_state::{
    AgentState, Blob, Holder, LeaseAttempt, Metadata, Record, Revision, SavedAt, StateKey, Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::places::Place;

/// A document as it is frozen.
fn frozen(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format").join(name))
        .unwrap()
}

/// A record with every field away from its default.
fn record() -> Record {
    let mut metadata = Metadata::default();
    metadata.llm_provider = "openai".into();
    metadata.llm_model = "gpt-4".into();
    metadata.tools_count = 3;
    metadata.memory_backend = "vectors".into();
    metadata.saved_at =
        Some(SavedAt::Time(UNIX_EPOCH + Duration::from_micros(1_769_860_800_000_001)));
    metadata.phase_completed = Some("reasoning".into());
    metadata.state_version = Some(3);
    metadata.actor = Some("support/anna".into());
    metadata.custom.insert("team".to_owned(), json!(["blue", {"size": 2}]));
    let write_id = "2f1c9a4e-5b7d-4c1e-9f00-0123456789ab".parse().unwrap();
    let revision = Revision { version: 42, write_id };
    let state = r#"{"turns":["hello","日本 \u0000 \"q\""],"cost":0.1,"n":18446744073709551615}"#;
    let state_type = Some("agent::Chat".into());
    Record::new(StateKey::for_user("alice").unwrap(), revision, state_type, metadata, state.into())
}

async fn save(place: &Place, record: &Record) {
    let manager = place.manager();
    let backend = manager.backend();
    let lease = match backend.acquire_lease(&record.key, &Holder::current()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => lease,
        other => panic!("{other:?}"),
    };
    backend.save_and_release(&lease, &Write::new(record.clone(), None)).await.unwrap();
}

#[tokio::test]
async fn a_document_is_written_and_read_as_it_always_was() {
    let frozen = frozen("record.json");
    for place in Place::with_documents() {
        save(&place, &record()).await;
        assert_eq!(place.document("alice"), frozen);
        place.put_document("alice", &frozen);
        let loaded = place.manager().backend().load_state(&record().key).await.unwrap();
        assert_eq!(loaded, Some(record()));
    }
    assert_eq!(record().to_json().unwrap(), frozen.as_bytes());
}

#[tokio::test]
async fn the_least_that_a_record_says_is_written_and_read_as_it_always_was() {
    let Record { key, revision, .. } = record();
    let least = Record::new(key, revision, None, Metadata::default(), "null".into());
    let frozen = frozen("least.json");
    for place in Place::with_documents() {
        save(&place, &least).await;
        assert_eq!(place.document("alice"), frozen);
        let loaded = place.manager().backend().load_state(&least.key).await.unwrap();
        assert_eq!(loaded.as_ref(), Some(&least));
    }
}

/// A state that names blobs.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pictures {
    named: Blob,
    plain: Option<Blob>,
}

#[tokio::test]
async fn a_blob_is_named_as_it_always_was() {
    let named = Blob::new("hello").with_media_type("text/plain");
    let pictures = || Pictures { named: named.clone(), plain: Some(Blob::new("")) };
    let frozen = frozen("blobs.json");
    for place in Place::with_documents() {
        let key = StateKey::for_user("alice").unwrap();
        place.manager().save_state(&key, pictures(), None).await.unwrap();
        let document = place.document("alice");
        assert!(document.contains(frozen.trim_end()), "{document}");
        let ids = format!(r#""blob_ids":["{}","{}"]"#, named.id(), Blob::new("").id());
        assert!(document.contains(&ids), "{document}");
        let found = place.manager().load_state::<Pictures>(&key).await.unwrap().unwrap().state;
        assert_eq!(found, pictures());
        assert_eq!(&found.named.load().await.unwrap()[..], b"hello");
    }
    let read: Pictures = serde_json::from_str(&frozen).unwrap();
    assert_eq!((read.named.len(), read.named.media_type()), (5, Some("text/plain")));
    assert_eq!(read, pictures());
}

/// Records say the path of their type, and `AgentState` has fields that others read.
#[test]
fn an_agents_state_is_written_as_it_always_was() {
    let name = "cogency_state::agent_state::AgentState";
    assert_eq!(std::any::type_name::<AgentState>(), name);
    let mut state = AgentState::new("what?", "alice");
    state.add_message("user", "hello");
    assert_eq!(serde_json::to_string(&state).unwrap() + "\n", frozen("agent_state.json"));
}
