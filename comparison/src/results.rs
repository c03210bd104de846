//! What was measured, as it is kept for documents to be made of.

use serde::{Deserialize, Serialize};

/// What was measured, or why it could not be.
pub(crate) type Cell<T> = Result<T, String>;

#[derive(Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: String,
    pub(crate) is_quick: bool,
    pub(crate) media: Vec<OnMedium>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OnMedium {
    pub(crate) id: String,
    /// What it is, or why there is none.
    pub(crate) about: Cell<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) own: Vec<OwnPart>,
}

/// Of one contestant.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Seconds of a cycle, one key at a time.
    pub(crate) latency: Vec<OfSize>,
    /// Saves in a second, 64 keys at once.
    pub(crate) rate: Vec<OfSize>,
    pub(crate) written: Option<Cell<Written>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OfSize {
    pub(crate) bytes: usize,
    pub(crate) cell: Cell<Spread>,
}

/// The median, and between what half of all were.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

/// A conversation that grew from nothing.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Written {
    /// After so many turns, so many bytes.
    pub(crate) after: Vec<(u32, u64)>,
    /// The last of it, with what is written behind the saves.
    pub(crate) bytes: u64,
    /// The length of the last version, which is that of all changes.
    pub(crate) last: u64,
    /// The length of all versions.
    pub(crate) versions: u64,
    /// What is stored in the end, and what that is without room for what comes next.
    pub(crate) stored: u64,
    pub(crate) compacted: u64,
}

/// Seconds of a save by a backend that is given both versions.
#[derive(Serialize, Deserialize)]
pub(crate) struct OwnPart {
    pub(crate) bytes: usize,
    pub(crate) save: Cell<Spread>,
    /// Of that, what finding the change takes.
    pub(crate) change: Cell<f64>,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Cell<Self> {
        values.sort_by(f64::total_cmp);
        let at = |share: usize| values.get(values.len() * share / 4).copied();
        let spread = || Some(Self { low: at(1)?, median: at(2)?, high: at(3)? });
        spread().ok_or_else(|| "nothing was measured".to_owned())
    }
}

impl Results {
    pub(crate) fn medium(&self, id: &str) -> Option<&OnMedium> {
        self.media.iter().find(|medium| medium.id == id)
    }
}

impl OnMedium {
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Row {
    pub(crate) fn latency(&self, bytes: usize) -> Cell<Spread> {
        of_size(&self.latency, bytes)
    }

    pub(crate) fn rate(&self, bytes: usize) -> Cell<Spread> {
        of_size(&self.rate, bytes)
    }
}

fn of_size(sizes: &[OfSize], bytes: usize) -> Cell<Spread> {
    let found = sizes.iter().find(|size| size.bytes == bytes);
    found.map_or_else(|| Err("not measured".to_owned()), |size| size.cell.clone())
}
