//! An entry of a history, as it is stored: in two streams, under ids that are its number, `17-0`.
//!
//! ```text
//! cogency:history:{cogency:state:alice:default}   `entry`: JSON
//! cogency:contents:{cogency:state:alice:default}  `content`: what a large entry keeps, as it is
//! ```
//!
//! The JSON is that of a [`HistoryRow`], with two fields more: `apart` is true where the content is
//! in the other stream, and `stands` says where the history stands behind this entry. So whoever has
//! the newest can go on. It has a checksum of its own, over the entry's hash too: that hash is of what
//! the entry says, wherever it is kept, and not of this.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::standing::Standing;
use crate::history::{
    Anchor, Break, Entry, Head, HistoryHash, HistoryRow, Kind, Next, Outline, Weight,
};
use crate::record::Checksum;

/// A larger content is apart, so that who looks through the entries need not see it.
const INLINE_CONTENT: usize = 2 << 10;

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    row: HistoryRow,
    #[serde(default, skip_serializing_if = "is_false")]
    apart: bool,
    stands: Stands,
}

/// What the next entry has to know, and is not said by this one.
#[derive(Clone, Serialize, Deserialize)]
struct Stands {
    /// The entry that the rebuild of the newest version begins with.
    keyframe: u64,
    keyframe_bytes: u64,
    change_bytes: u64,
    changes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pruned: Option<Pruned>,
    /// The newest state, behind an entry that is not about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<Newest>,
    /// What was written by earlier builds has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Pruned {
    through: u64,
    hash: HistoryHash,
}

#[derive(Clone, Serialize, Deserialize)]
struct Newest {
    version: u64,
    write_id: String,
    checksum: Option<String>,
}

// Serde hands it over so.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// An entry on its way to the server.
pub(super) struct Written {
    pub(super) sequence: u64,
    pub(super) kind: Kind,
    /// The entry before it.
    pub(super) previous: Anchor,
    /// How many there are before it.
    pub(super) before: u64,
    pub(super) json: Vec<u8>,
    /// What goes into the other stream; empty if nothing does.
    pub(super) content: Bytes,
    /// Where the history stands then.
    pub(super) standing: Standing,
}

impl Written {
    /// The entry of what is to happen next.
    pub(super) fn new(before: Option<&Standing>, next: Next) -> Result<Self, serde_json::Error> {
        let standing = Standing::after(before, &next);
        let Next { mut entry, head } = next;
        let apart = entry.content.len() > INLINE_CONTENT;
        let content = if apart { std::mem::take(&mut entry.content) } else { Bytes::new() };
        let previous = before.map_or(Anchor::NONE, |before| before.head.place());
        let (sequence, kind) = (entry.sequence, entry.kind);
        let stands = Stands::of(&standing, kind).sealed(head.hash)?;
        let row = HistoryRow { previous: previous.hash, hash: head.hash, entry };
        let stored = Stored { row, apart, stands };
        let mut json = Vec::with_capacity(2 * INLINE_CONTENT);
        serde_json::to_writer(&mut json, &stored)?;
        let entries = before.map_or(0, |before| before.entries);
        Ok(Self { sequence, kind, previous, before: entries, json, content, standing })
    }

    /// How many bytes go out.
    pub(super) fn bytes(&self) -> usize {
        self.json.len() + self.content.len()
    }
}

impl Stands {
    fn of(standing: &Standing, kind: Kind) -> Self {
        let Head { weight, version, write_id, checksum, .. } = &standing.head;
        let newest =
            || Newest { version: *version, write_id: write_id.clone(), checksum: checksum.clone() };
        Self {
            keyframe: standing.keyframe,
            keyframe_bytes: weight.keyframe_bytes,
            change_bytes: weight.change_bytes,
            changes: weight.changes,
            pruned: standing
                .pruned()
                .map(|Anchor { sequence, hash }| Pruned { through: sequence, hash }),
            newest: (kind == Kind::Note).then(newest),
            checksum: None,
        }
    }

    /// With its checksum, behind the entry that has this hash.
    fn sealed(self, hash: HistoryHash) -> Result<Self, serde_json::Error> {
        let bare = Self { checksum: None, ..self };
        let checksum = Checksum::of(&serde_json::to_vec(&(hash, &bare))?).to_string();
        Ok(Self { checksum: Some(checksum), ..bare })
    }

    /// Whether it is what was written behind an entry.
    fn is_of(&self, Anchor { sequence, hash }: Anchor) -> bool {
        let pruned = self.pruned.as_ref().map_or(0, |pruned| pruned.through);
        let is_plausible = pruned < self.keyframe && self.keyframe <= sequence;
        let is_intact = || {
            let sealed = self.clone().sealed(hash);
            sealed.is_ok_and(|sealed| sealed.checksum == self.checksum)
        };
        is_plausible && (self.checksum.is_none() || is_intact())
    }
}

impl Stored {
    /// Whether it is the entry of this number, and has its content in one place.
    fn is_of(&self, sequence: u64) -> bool {
        let entry = &self.row.entry;
        // No history gets that far, and behind it there is nothing.
        let is_its = entry.sequence == sequence && sequence < u64::MAX;
        is_its && (!self.apart || entry.content.is_empty())
    }
}

/// What is known of an entry of this number without what it keeps: not all of it is read.
pub(super) fn outline(sequence: u64, json: &[u8]) -> Result<Outline, Break> {
    #[derive(Deserialize)]
    struct Fields {
        sequence: u64,
        kind: Kind,
        version: u64,
        at: u64,
    }
    match serde_json::from_slice::<Fields>(json) {
        Ok(Fields { sequence: own, kind, version, at }) if own == sequence => {
            Ok(Outline { sequence, kind, version, at })
        }
        _ => Err(unreadable(sequence)),
    }
}

fn unreadable(sequence: u64) -> Break {
    Break::at(sequence, "it is not one that this library writes")
}

/// An entry that was found.
#[derive(Clone)]
pub(super) struct Found {
    stored: Stored,
}

impl Found {
    /// Reads an entry that has this number.
    pub(super) fn read(sequence: u64, json: &[u8]) -> Result<Self, Break> {
        match serde_json::from_slice::<Stored>(json) {
            Ok(stored) if stored.is_of(sequence) => Ok(Self { stored }),
            _ => Err(unreadable(sequence)),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.entry().sequence
    }

    /// Without a content that is apart.
    pub(super) fn entry(&self) -> &Entry {
        &self.stored.row.entry
    }

    pub(super) fn hash(&self) -> HistoryHash {
        self.stored.row.hash
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Anchor {
        self.stored.row.place()
    }

    /// The entry before it.
    pub(super) fn before(&self) -> Anchor {
        self.stored.row.before()
    }

    /// The same, if it says of where the history stands what was written. Nothing is to be built on
    /// another one.
    pub(super) fn standing_truly(self) -> Result<Self, Break> {
        let reason = "it does not say truly where it stands";
        let is_true = self.stored.stands.is_of(self.place());
        if is_true { Ok(self) } else { Err(Break::at(self.sequence(), reason)) }
    }

    pub(super) fn keyframe(&self) -> u64 {
        self.stored.stands.keyframe
    }

    pub(super) fn is_apart(&self) -> bool {
        self.stored.apart
    }

    /// With the content that is apart.
    pub(super) fn with_content(mut self, content: Bytes) -> Self {
        self.stored.row.entry.content = content;
        self
    }

    pub(super) fn into_entry(self) -> Entry {
        self.stored.row.entry
    }

    pub(super) fn into_row(self) -> HistoryRow {
        self.stored.row
    }

    /// Where the history stands behind it.
    pub(super) fn head(&self) -> Head {
        let (entry, stands) = (self.entry(), &self.stored.stands);
        let (version, write_id, checksum) = match (&stands.newest, entry.kind) {
            (Some(newest), _) => (newest.version, &newest.write_id, newest.checksum.clone()),
            (None, Kind::Gone) => (0, &entry.write_id, None),
            (None, _) => (entry.version, &entry.write_id, entry.checksum.clone()),
        };
        let pruned = stands.pruned.as_ref();
        let pruned = pruned.map(|pruned| Anchor { sequence: pruned.through, hash: pruned.hash });
        Head {
            sequence: entry.sequence,
            hash: self.hash(),
            at: entry.at,
            version,
            write_id: write_id.clone(),
            checksum,
            weight: Weight {
                keyframe_bytes: stands.keyframe_bytes,
                change_bytes: stands.change_bytes,
                changes: stands.changes,
            },
            pruned: pruned.unwrap_or(Anchor::NONE),
        }
    }
}
