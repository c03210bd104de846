//! What it takes to rebuild the newest version, and whether a change is worth keeping.

use bytes::Bytes;

use super::change;
use super::entry::Kind;

/// A version is rebuilt from at most so many entries.
const MAX_ENTRIES: u64 = 256;

/// What the rebuild of the newest version takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// The size of the newest keyframe; 0 if the state is gone since.
    pub(crate) keyframe_bytes: u64,
    /// That of the changes since.
    pub(crate) change_bytes: u64,
    /// How many there are.
    pub(crate) changes: u64,
}

impl Weight {
    /// With one more entry, whose content has so many bytes.
    pub(crate) fn after(self, kind: Kind, content: usize) -> Self {
        let content = content as u64;
        match kind {
            Kind::Keyframe => Self { keyframe_bytes: content, change_bytes: 0, changes: 0 },
            Kind::Change => Self {
                change_bytes: self.change_bytes.saturating_add(content),
                changes: self.changes.saturating_add(1),
                ..self
            },
            Kind::Gone => Self::default(),
            Kind::Note => self,
        }
    }

    /// What makes `new` of `old`, the newest version, if a rebuild stays cheap with it.
    pub(crate) fn change(self, old: &Bytes, new: &Bytes) -> Option<Bytes> {
        if self.keyframe_bytes == 0 || self.changes.saturating_add(2) > MAX_ENTRIES {
            return None;
        }
        let (old, new) = (std::str::from_utf8(old).ok()?, std::str::from_utf8(new).ok()?);
        let change = change::between(old, new);
        let before = self.keyframe_bytes.saturating_add(self.change_bytes);
        let needed = before.saturating_add(change.len() as u64);
        (needed <= 2 * new.len() as u64).then(|| change.into())
    }
}
