//! An entry of a history, as a row.

use super::history::count;
use super::problem::Problem;
use super::row::text;
use super::standing::{hash, number};
use super::statement::Cells;
use crate::history::{Entry, Head, HistoryHash, Kind, Next};

/// An entry, with the hash that stands beside it.
pub(super) struct Row {
    pub(super) entry: Entry,
    pub(super) hash: HistoryHash,
}

/// The entry in a row, whose columns are:
///
/// sequence number, event, version, write id, when, process, host, actor, phase, provider, model,
/// type, schema version, size, checksum, kind, hash, metadata, content
pub(super) fn of(row: &dyn Cells) -> Result<Row, Problem> {
    const MISSING: Problem = Problem::Strange("a column of an entry is missing");
    let kind = text(row, 15)?.and_then(|text| Kind::parse(&text)).ok_or(MISSING)?;
    let process = u32::try_from(number(row, 5)?.unwrap_or(0));
    let entry = Entry {
        sequence: number(row, 0)?.ok_or(MISSING)?,
        event: text(row, 1)?.ok_or(MISSING)?,
        version: number(row, 2)?.ok_or(MISSING)?,
        write_id: text(row, 3)?.ok_or(MISSING)?,
        at: number(row, 4)?.ok_or(MISSING)?,
        process: process.map_err(|_| Problem::Strange("a process is none"))?,
        host: text(row, 6)?.ok_or(MISSING)?,
        actor: text(row, 7)?,
        phase: text(row, 8)?,
        provider: text(row, 9)?,
        model: text(row, 10)?,
        state_type: text(row, 11)?,
        schema_version: text(row, 12)?,
        size: number(row, 13)?.ok_or(MISSING)?,
        checksum: text(row, 14)?,
        kind,
        metadata: text(row, 17)?,
        content: row.bytes(18)?.unwrap_or_default().into(),
    };
    Ok(Row { entry, hash: hash(row, 16)? })
}

/// What has to be made of an entry before it is bound.
pub(super) struct Columns<'a> {
    pub(super) sequence: i64,
    /// `None` if nothing stands before it.
    pub(super) previous: Option<String>,
    pub(super) hash: String,
    pub(super) at: i64,
    pub(super) process: i64,
    pub(super) version: i64,
    pub(super) size: i64,
    /// Without a content of its own it is the state's.
    pub(super) content: Option<&'a str>,
    pub(super) keyframe_bytes: i64,
    pub(super) change_bytes: i64,
    pub(super) changes: i64,
}

impl<'a> Columns<'a> {
    /// Of an entry that stands behind this head.
    pub(super) fn of(before: Option<&Head>, next: &'a Next) -> Result<Self, Problem> {
        let Next { entry, head } = next;
        let content = match entry.kind {
            Kind::Keyframe => None,
            _ => Some(std::str::from_utf8(&entry.content).map_err(|_| Problem::NotText)?),
        };
        Ok(Self {
            sequence: count(entry.sequence),
            previous: before.map(|head| head.hash.to_string()),
            hash: head.hash.to_string(),
            at: count(entry.at),
            process: i64::from(entry.process),
            version: count(entry.version),
            size: count(entry.size),
            content,
            keyframe_bytes: count(head.weight.keyframe_bytes),
            change_bytes: count(head.weight.change_bytes),
            changes: count(head.weight.changes),
        })
    }
}
