//! The next entry of a history.

use std::borrow::Cow;

use bytes::Bytes;

use super::change;
use super::entry::{Entry, Kind};
use super::event::Event;
use super::head::{Anchor, Head, Origin};
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision, WriteId};

/// A version is rebuilt from at most so many entries.
const MAX_ENTRIES: u64 = 256;

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
        let metadata = &record.metadata;
        let owned = |text: &Cow<'static, str>| Some(text.clone().into_owned());
        let entry = Entry {
            version: record.revision.version,
            actor: metadata.actor.as_ref().and_then(owned),
            phase: metadata.phase_completed.as_ref().and_then(owned),
            provider: owned(&metadata.llm_provider),
            model: owned(&metadata.llm_model),
            state_type: record.state_type.as_ref().and_then(owned),
            schema_version: owned(&record.schema_version),
            size: record.state.len() as u64,
            checksum: Some(Checksum::of(&record.state).to_string()),
            // Metadata are JSON in any case.
            metadata: Some(serde_json::to_string(metadata).unwrap_or_default()),
            kind,
            content,
            ..empty(head, &saved.event, &record.revision.write_id.to_string(), origin)
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
    Entry {
        sequence: head.map_or(0, |head| head.sequence) + 1,
        event: event.as_str().to_owned(),
        version: 0,
        write_id: id.to_owned(),
        // A clock that was set back does not turn the order round.
        at: head.map_or(0, |head| head.at).max(origin.at),
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

/// The change that a save makes, where it is of use.
fn change(head: Option<&Head>, saved: &Saved<'_>) -> Option<Bytes> {
    let (head, expected, replaced) = (head?, saved.expected?, saved.replaced?);
    if head.keyframe_bytes == 0 || head.changes + 2 > MAX_ENTRIES {
        return None;
    }
    // Somebody may have changed the state behind the back of its history.
    let is_newest = head.write_id == expected.write_id.to_string()
        && head.checksum.as_deref() == Some(&*Checksum::of(replaced).to_string());
    if !is_newest {
        return None;
    }
    let (old, new) = (text(replaced)?, text(&saved.record.state)?);
    let change = change::between(old, new);
    let needed = head.keyframe_bytes + head.change_bytes + change.len() as u64;
    (needed <= 2 * new.len() as u64).then(|| change.into())
}

fn text(state: &Bytes) -> Option<&str> {
    std::str::from_utf8(state).ok()
}
