//! States that are apart: what the newest keyframe of their history and the changes behind it make.
//! So a save of a large state writes what changed, and a load puts it together.
//!
//! ```text
//! cogency_states    alice  default  version 9  state: null
//! cogency_history   alice  default  seq 7  keyframe  {"turns":["hello"]}
//!                                   seq 8  change    [[0,17],",\"tea\"",[17,2]]
//!                                   seq 9  change    [[0,23],",\"and cake\"",[23,2]]
//! ```

use bytes::Bytes;

use super::known::KnownRecord;
use super::problem::Problem;
use super::records::Records;
use super::row::{self, Unreadable, text};
use super::saving::MAX_INLINE_BYTES;
use super::standing::number;
use super::statement::{Cells, Rows};
use crate::backend::off_thread::off_thread;
use crate::error::Error;
use crate::history::{Entry, Event, Kind, Origin, rebuild};
use crate::key::StateKey;
use crate::record::Record;

/// Where in the rows of an answer a record stands: where its columns begin, which one tells whether
/// its state is apart, and where the columns of an entry begin.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) record: usize,
    pub(super) is_apart: usize,
    pub(super) entry: usize,
}

/// A record that was looked at, without its state, and where that is.
pub(super) struct Found {
    bare: Record,
    state: State,
    is_apart: bool,
}

enum State {
    There(Bytes),
    Apart(Vec<Entry>),
}

impl Records {
    /// What an answer says whose first row has the record, and each row one of the entries that
    /// make its state if that is apart.
    pub(super) fn find_record(
        &self,
        key: &StateKey,
        rows: &Rows,
        layout: Layout,
        known: Option<KnownRecord>,
    ) -> Result<Option<Found>, Error> {
        let found = find(key, rows, layout, known);
        found.map_err(|problem| row::unreadable(&self.location, key, problem))
    }

    /// The record, with its state.
    pub(super) async fn whole(&self, found: Found) -> Result<Record, Error> {
        let Found { bare, state, is_apart } = found;
        let state = match state {
            State::There(state) => Ok(state),
            State::Apart(entries) => made(entries).await,
        };
        let state = state.map_err(|problem| row::unreadable(&self.location, &bare.key, problem))?;
        let record = row::intact(&self.location, Record { state, ..bare })?;
        self.known.put(KnownRecord { record: record.clone(), is_apart });
        Ok(record)
    }
}

fn find(
    key: &StateKey,
    rows: &Rows,
    layout: Layout,
    known: Option<KnownRecord>,
) -> Result<Option<Found>, Unreadable> {
    let Some(first) = rows.first() else { return Ok(None) };
    let Some(bare) = row::bare(key, &**first, layout.record)? else { return Ok(None) };
    let is_apart = first.int(layout.is_apart).ok().flatten() == Some(1);
    let state = match known.filter(|known| known.is(&bare, is_apart)) {
        Some(known) => State::There(known.record.state),
        None if is_apart => State::Apart(entries(rows, layout.entry)?),
        None => State::There(row::state(&**first, layout.record)?),
    };
    Ok(Some(Found { bare, state, is_apart }))
}

/// The state that these entries make.
async fn made(entries: Vec<Entry>) -> Result<Bytes, Unreadable> {
    const BROKEN: Unreadable = Unreadable::Damaged(
        "the entries of its history that make it are damaged: verify the history, which says where",
    );
    let is_large = entries.last().is_some_and(|entry| entry.size > MAX_INLINE_BYTES as u64);
    let made =
        if is_large { off_thread(move || rebuild(&entries)).await } else { rebuild(&entries) };
    made.ok().flatten().ok_or(BROKEN)
}

/// The entries in some rows, whose columns begin at `at`:
///
/// sequence number, kind, size, checksum, content
fn entries(rows: &Rows, at: usize) -> Result<Vec<Entry>, Unreadable> {
    const DAMAGED: Unreadable = Unreadable::Damaged("an entry does not hold what it should");
    let entries = rows.iter().map(|row| entry(&**row, at).ok().flatten().ok_or(DAMAGED));
    entries.collect()
}

fn entry(row: &dyn Cells, at: usize) -> Result<Option<Entry>, Problem> {
    let Some(sequence) = number(row, at)? else { return Ok(None) };
    let Some(kind) = text(row, at + 1)?.and_then(|kind| Kind::parse(&kind)) else {
        return Ok(None);
    };
    let nobody = Origin { at: 0, process: 0, host: "" };
    Ok(Some(Entry {
        kind,
        size: number(row, at + 2)?.unwrap_or(0),
        checksum: text(row, at + 3)?,
        content: row.bytes(at + 4)?.unwrap_or_default().into(),
        ..Entry::bare(sequence, &Event::Save, String::new(), nobody)
    }))
}
