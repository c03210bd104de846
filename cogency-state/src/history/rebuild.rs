//! A version out of a keyframe and the changes behind it.

use bytes::Bytes;

use super::audit::Break;
use super::change;
use super::entry::{Entry, Kind};

/// The state that the last of these entries left, or `None` if it left none. The first is a
/// keyframe, or leaves none.
pub(crate) fn rebuild(entries: &[Entry]) -> Result<Option<Bytes>, Break> {
    let (mut state, mut newest, mut due) = (None, None, None);
    for entry in entries {
        if due.is_some_and(|due| entry.sequence != due) {
            return Err(Break::at(due.unwrap_or(0), "it is missing"));
        }
        due = Some(entry.sequence.saturating_add(1));
        if let Some(next) = step(state.as_ref(), entry)? {
            (state, newest) = (Some(next), Some(entry));
        }
    }
    match (state, newest) {
        (_, Some(newest)) if newest.kind == Kind::Gone => Ok(None),
        (Some(state), Some(newest)) if newest.is_of(&state) => Ok(Some(state)),
        (_, newest) => Err(Break::at(
            newest.map_or(0, |entry| entry.sequence),
            "its state is not the one that was saved",
        )),
    }
}

/// The state that an entry left of the one before it; `None` if it left that as it was.
pub(super) fn step(before: Option<&Bytes>, entry: &Entry) -> Result<Option<Bytes>, Break> {
    let broken = || Break::at(entry.sequence, "its change does not fit the version before it");
    match entry.kind {
        Kind::Keyframe => Ok(Some(entry.content.clone())),
        Kind::Change => {
            let (old, change) = (before.and_then(text), text(&entry.content));
            let (old, change) = old.zip(change).ok_or_else(broken)?;
            let new = change::apply(old, change).map_err(|_| broken())?;
            Ok(Some(new.into()))
        }
        Kind::Gone => Ok(Some(Bytes::new())),
        Kind::Note => Ok(None),
    }
}

fn text(bytes: &Bytes) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
