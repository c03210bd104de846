//! The next entry of a history.

use std::borrow::Cow;

use bytes::Bytes;

use super::entry::{Entry, Kind};
use super::event::Event;
use super::head::{Anchor, Head, Origin};
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision, WriteId};

/// The next entry of a history, and where that stands then.
#[derive(Clone)]
pub(crate) struct Next {
    pub(crate) entry: Entry,
    pub(crate) head: Head,
}

/// A state that comes back as it was: what is stored of it.
#[derive(Clone)]
pub(crate) struct Back {
    pub(crate) version: u64,
    pub(crate) write_id: String,
    pub(crate) schema_version: String,
    pub(crate) state_type: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) phase: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) metadata: Option<String>,
    pub(crate) state: Bytes,
}

impl Back {
    /// Of a record that can be read.
    pub(crate) fn of(record: &Record) -> Self {
        let metadata = &record.metadata;
        let owned = |text: &Cow<'static, str>| text.clone().into_owned();
        Self {
            version: record.revision.version,
            write_id: record.revision.write_id.to_string(),
            schema_version: owned(&record.schema_version),
            state_type: record.state_type.as_ref().map(owned),
            provider: Some(owned(&metadata.llm_provider)),
            model: Some(owned(&metadata.llm_model)),
            phase: metadata.phase_completed.as_ref().map(owned),
            actor: metadata.actor.as_ref().map(owned),
            // Metadata are JSON in any case.
            metadata: Some(serde_json::to_string(metadata).unwrap_or_default()),
            state: record.state.clone(),
        }
    }
}

/// A state that is saved.
pub(crate) struct Saved<'a> {
    pub(crate) event: Event,
    pub(crate) record: &'a Record,
    pub(crate) expected: Option<Revision>,
    /// The state that it replaces, where it is at hand.
    pub(crate) replaced: Option<&'a Bytes>,
}

impl Next {
    /// The entry of a save. It keeps the change where the newest version is known to be the one
    /// that is replaced and a rebuild stays cheap, else the whole state.
    pub(crate) fn save(head: Option<&Head>, saved: &Saved<'_>, origin: Origin<'_>) -> Self {
        let record = saved.record;
        let (kind, content) = match change(head, saved) {
            Some(change) => (Kind::Change, change),
            None => (Kind::Keyframe, record.state.clone()),
        };
        let id = record.revision.write_id.to_string();
        let checksum = record.checksum.unwrap_or_else(|| Checksum::of(&record.state));
        let entry = Entry {
            size: record.state.len() as u64,
            checksum: Some(checksum.to_string()),
            kind,
            content,
            ..empty(head, &saved.event, &id, origin).of_record(record)
        };
        Self::of(head, &record.key, entry)
    }

    /// The entry of an event that leaves no state, such as a delete, by an id that no other has.
    pub(crate) fn gone(
        head: Option<&Head>,
        key: &StateKey,
        event: &Event,
        id: &str,
        origin: Origin<'_>,
    ) -> Self {
        Self::of(head, key, gone(head, event, id, origin))
    }

    /// The entry of a state that is set aside. It keeps what is known of that.
    pub(crate) fn aside(
        head: Option<&Head>,
        key: &StateKey,
        id: &str,
        about: String,
        origin: Origin<'_>,
    ) -> Self {
        let entry = gone(head, &Event::Quarantine, id, origin);
        Self::of(head, key, Entry { metadata: Some(about), ..entry })
    }

    /// The entry of a state that comes back as it was, readable or not.
    pub(crate) fn back(
        head: Option<&Head>,
        key: &StateKey,
        back: Back,
        origin: Origin<'_>,
    ) -> Self {
        let entry = Entry {
            version: back.version,
            actor: back.actor,
            phase: back.phase,
            provider: back.provider,
            model: back.model,
            state_type: back.state_type,
            schema_version: Some(back.schema_version),
            size: back.state.len() as u64,
            checksum: Some(Checksum::of(&back.state).to_string()),
            metadata: back.metadata,
            kind: Kind::Keyframe,
            content: back.state,
            ..empty(head, &Event::Restore, &back.write_id, origin)
        };
        Self::of(head, key, entry)
    }

    /// The entry of a pruning up to an entry.
    pub(crate) fn prune(head: &Head, key: &StateKey, pruned: Anchor, origin: Origin<'_>) -> Self {
        let entry = Entry {
            version: head.version,
            content: pruned.note().into(),
            ..empty(Some(head), &Event::Prune, &WriteId::generate().to_string(), origin)
        };
        let mut next = Self::of(Some(head), key, entry);
        next.head.pruned = pruned;
        next
    }

    fn of(head: Option<&Head>, key: &StateKey, entry: Entry) -> Self {
        let before = head.cloned().unwrap_or_else(|| Head::empty(Anchor::NONE));
        let hash = entry.hash(key, before.hash);
        let head = before.after(&entry, hash);
        Self { entry, head }
    }
}

fn gone(head: Option<&Head>, event: &Event, id: &str, origin: Origin<'_>) -> Entry {
    let version = head.map_or(0, |head| head.version);
    Entry { version, kind: Kind::Gone, ..empty(head, event, id, origin) }
}

fn empty(head: Option<&Head>, event: &Event, id: &str, origin: Origin<'_>) -> Entry {
    // A time names one version, also where the clock is a coarse one or was set back.
    let at = head.map_or(0, |head| head.at.saturating_add(1)).max(origin.at);
    let sequence = head.map_or(0, |head| head.sequence).saturating_add(1);
    Entry::bare(sequence, event, id.to_owned(), Origin { at, ..origin })
}

/// The change that a save makes, where it is of use.
fn change(head: Option<&Head>, saved: &Saved<'_>) -> Option<Bytes> {
    let (head, expected, replaced) = (head?, saved.expected?, saved.replaced?);
    // Somebody may have changed the state behind the back of its history.
    let is_newest = head.write_id == expected.write_id.to_string()
        && head.checksum.as_deref() == Some(&*Checksum::of(replaced).to_string());
    is_newest.then(|| head.weight.change(replaced, &saved.record.state))?
}
