//! Records to save.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::json;

use super::check::{Verdict, fail};
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

/// A record that replaces another, with every field set.
pub(super) fn record(key: &StateKey, replaces: Option<&Record>, text: &str) -> Record {
    let state = json!({ "text": text, "iteration": 3 }).to_string();
    record_of(key, replaces, state)
}

/// A record with a certain state.
pub(super) fn record_of(
    key: &StateKey,
    replaces: Option<&Record>,
    state: impl Into<Bytes>,
) -> Record {
    let revision = Revision::after(replaces.map(|record| record.revision));
    let state_type = Some(Cow::Borrowed("agents::Conversation"));
    Record::new(key.clone(), revision, state_type, metadata(), state.into())
}

/// Metadata with no field at its default, but for blobs: those that a record names have to be there.
pub(super) fn metadata() -> Metadata {
    let custom =
        [("budget".to_owned(), json!({ "tokens": u64::MAX, "spent": [0.1, -0.0, null, true] }))];
    Metadata {
        llm_provider: "anthropic".into(),
        llm_model: "claude-3 \u{1f916} \"quoted\"".into(),
        tools_count: 12,
        memory_backend: "filesystem".into(),
        phase_completed: Some("reasoning".into()),
        state_version: Some(3),
        actor: Some("support: \u{fc}nal".into()),
        custom: custom.into_iter().collect(),
        ..Metadata::now()
    }
}

/// Fails unless the record that was found is the one that was to be there, and names the fields
/// in which they differ.
pub(super) fn same(found: Option<&Record>, due: Option<&Record>, when: &str) -> Verdict {
    match (found, due) {
        (None, None) => Ok(()),
        (None, Some(due)) => {
            fail!("{when}: there is no record, due is version {}", due.revision.version)
        }
        (Some(found), None) => {
            fail!("{when}: there is a record of version {}, none is due", found.revision.version)
        }
        (Some(found), Some(due)) if found == due => Ok(()),
        (Some(found), Some(due)) => {
            let fields = differences(found, due).join(", ");
            fail!("{when}: the record is not the one that is due, it differs in {fields}")
        }
    }
}

fn differences(found: &Record, due: &Record) -> Vec<String> {
    let (is, was) = (&found.metadata, &due.metadata);
    let lengths = format!("state ({} bytes, due are {})", found.state.len(), due.state.len());
    let versions = (found.revision.version, due.revision.version);
    let fields = [
        (found.key != due.key, format!("key ({}, due is {})", found.key, due.key)),
        (versions.0 != versions.1, format!("version ({}, due is {})", versions.0, versions.1)),
        (found.revision.write_id != due.revision.write_id, "write id".to_owned()),
        (found.schema_version != due.schema_version, "schema_version".to_owned()),
        (found.state_type != due.state_type, "state_type".to_owned()),
        (is.llm_provider != was.llm_provider, "metadata.llm_provider".to_owned()),
        (is.llm_model != was.llm_model, "metadata.llm_model".to_owned()),
        (is.tools_count != was.tools_count, "metadata.tools_count".to_owned()),
        (is.memory_backend != was.memory_backend, "metadata.memory_backend".to_owned()),
        (is.saved_at != was.saved_at, "metadata.saved_at".to_owned()),
        (is.blob_ids != was.blob_ids, "metadata.blob_ids".to_owned()),
        (is.custom != was.custom, "metadata.custom".to_owned()),
        (found.state != due.state, lengths),
        (found.checksum != due.checksum, "checksum".to_owned()),
    ];
    fields.into_iter().filter(|(differs, _)| *differs).map(|(_, field)| field).collect()
}
