//! An entry, from what is known when something happens.

use std::borrow::Cow;

use bytes::Bytes;

use super::entry::{Entry, Kind};
use super::event::Event;
use super::head::Origin;
use crate::record::Record;

impl Entry {
    /// Of an event that says nothing of a state.
    pub(crate) fn bare(sequence: u64, event: &Event, id: String, origin: Origin<'_>) -> Self {
        Self {
            sequence,
            event: event.as_str().to_owned(),
            version: 0,
            write_id: id,
            at: origin.at,
            process: origin.process,
            host: origin.host.to_owned(),
            actor: None,
            phase: None,
            provider: None,
            model: None,
            state_type: None,
            schema_version: None,
            size: 0,
            checksum: None,
            metadata: None,
            kind: Kind::Note,
            content: Bytes::new(),
        }
    }

    /// The same with what is told of a record that was saved, but for its state.
    pub(crate) fn of_record(self, record: &Record) -> Self {
        let metadata = &record.metadata;
        let owned = |text: &Cow<'static, str>| Some(text.clone().into_owned());
        Self {
            version: record.revision.version,
            actor: metadata.actor.as_ref().and_then(owned),
            phase: metadata.phase_completed.as_ref().and_then(owned),
            provider: owned(&metadata.llm_provider),
            model: owned(&metadata.llm_model),
            state_type: record.state_type.as_ref().and_then(owned),
            schema_version: owned(&record.schema_version),
            // Metadata are JSON in any case.
            metadata: Some(serde_json::to_string(metadata).unwrap_or_default()),
            ..self
        }
    }
}
