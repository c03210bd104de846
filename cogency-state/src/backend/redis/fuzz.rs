//! Values and URLs of whatever bytes.

use super::claim::holder;
use bytes::Bytes;

use super::entry::{Found, Written, outline};
use super::standing::Standing;
use super::url::parse;
use crate::envelope::in_history;
use crate::history::{Entry, Event, Kind, Next, Origin, Saved};
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

/// What stands under the key of a lease.
pub fn redis_lease(data: &[u8]) {
    let _ = (holder(data).to_string(), serde_json::to_vec(&holder(data)));
}

/// A URL.
///
/// # Panics
/// If an error repeats the URL, which may hold a password.
pub fn redis_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = parse(text) {
        assert!(!text.contains("hunter2") || !format!("{error} {error:?}").contains("hunter2"));
    }
}

/// An entry of a history.
///
/// # Panics
/// If what is known of it at a glance is not what it says.
pub fn redis_entry(data: &[u8]) {
    let value = serde_json::from_slice::<serde_json::Value>(data).unwrap_or_default();
    let Some(sequence) = value.get("sequence").and_then(serde_json::Value::as_u64) else { return };
    let Ok(found) = Found::read(sequence, data) else { return };
    let glance = outline(sequence, data);
    assert!(glance.is_ok_and(|glance| glance == found.entry().outline()));
    assert!(found.head().sequence == sequence && found.before().sequence < sequence.max(1));
    let _ = found.clone().into_row().is_intact(&alice());
    go_on_from(&found);
}

/// Whatever an entry says of where its history stands, a save behind it says the same to all.
fn go_on_from(found: &Found) {
    let before = Standing { head: found.head(), keyframe: found.keyframe(), entries: 1 };
    let _ = before.is_one_segment();
    let (old, new) = (Bytes::from_static(b"[1]"), Bytes::from_static(b"[1,2]"));
    let _ = before.head.weight.change(&old, &new);
    let revision = Revision::after(None);
    let record = Record::new(alice(), revision, None, Metadata::now(), new);
    let saved = Saved {
        event: Event::Save,
        record: &record,
        expected: Some(revision),
        replaced: Some(&old),
    };
    let origin = Origin { at: 0, process: 0, host: "" };
    let next = Next::save(Some(&before.head), &saved, origin);
    let change = Entry { kind: Kind::Change, ..next.entry.clone() };
    let _ = before.head.after(&change, next.head.hash);
    let Ok(written) = Written::new(Some(&before), next) else { return };
    let again = Found::read(written.sequence, &written.json);
    assert!(again.is_err() || again.is_ok_and(|again| again.head() == written.standing.head));
}

/// A record whose state is in its history.
///
/// # Panics
/// If it is another one when it was written.
pub fn redis_in_history(data: &[u8]) {
    let Some(Ok(found)) = in_history::read(&alice(), &data.to_vec().into()) else { return };
    let again = in_history::write(&found.record, found.place);
    let again = again.ok().and_then(|again| in_history::read(&alice(), &again)?.ok());
    assert!(again.is_some_and(|again| again.place == found.place && again.record == found.record));
}

fn alice() -> StateKey {
    // It is one in any case.
    StateKey::for_user("alice").unwrap_or_else(|_| unreachable!())
}
