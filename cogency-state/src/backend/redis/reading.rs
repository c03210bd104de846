//! Entries of histories, as they are read from the streams that keep them.

use bytes::Bytes;
use redis::{Cmd, Value};

use super::entry::{Found, outline};
use super::problem::{Failure, Problem};
use super::records::Records;
use super::request::{INLINE_BYTES, Request, command};
use super::standing::Standing;
use crate::history::{Break, Outline};
use crate::key::StateKey;

/// What is not small: it has a connection that keeps nobody waiting.
const LARGE: usize = 1 << 20;

const STRANGE: Problem = Problem::Strange("not what a stream gives");

/// An entry of a stream: its number, and the only thing that it has.
type Item = (u64, Bytes);

/// What a stream gave, or the first entry that is none of this library's.
type Items = Result<Vec<Item>, Break>;

impl Records {
    /// The commands that look at where a history stands: how many entries it has, and the newest.
    pub(super) fn look_at_history(history: &str) -> [Cmd; 2] {
        let history = history.as_bytes();
        [
            command(&[b"XLEN", history]),
            command(&[b"XREVRANGE", history, b"+", b"-", b"COUNT", b"1"]),
        ]
    }

    /// Where a history stands; `None` before there is any entry.
    ///
    /// Who reads entries asks where they are read from: where a master is replaced, two connections
    /// may lead to two servers.
    pub(super) async fn standing(
        &self,
        key: &StateKey,
        to_read: bool,
    ) -> Result<Result<Option<Standing>, Break>, Failure> {
        let commands = Self::look_at_history(&self.keys.history(&self.keys.record(key)));
        let request = commands.into_iter().fold(Request::new(), Request::then);
        let request = if to_read { request.of_bytes(LARGE) } else { request };
        let mut answers = self.values(&request).await?;
        let (Some(newest), Some(count)) = (answers.pop(), answers.pop()) else {
            return Err(STRANGE.into());
        };
        Ok(standing_of(&count, newest)?)
    }

    /// The newest entries whose numbers are less than this one, the newest first.
    pub(super) async fn entries_before(
        &self,
        key: &StateKey,
        before: u64,
        limit: usize,
    ) -> Result<Result<Vec<Found>, Break>, Failure> {
        // A stream begins with 1.
        let Some(last) = before.checked_sub(1).filter(|last| *last > 0) else {
            return Ok(Ok(Vec::new()));
        };
        let (history, last) = (self.keys.history(&self.keys.record(key)), id(last));
        let mut range = command(&[b"XREVRANGE", history.as_bytes(), last.as_bytes(), b"-"]);
        range.arg("COUNT").arg(limit);
        self.found_in(range).await
    }

    /// The entries from one number to another, the oldest first, at most so many.
    pub(super) async fn entries(
        &self,
        key: &StateKey,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<Result<Vec<Found>, Break>, Failure> {
        let (history, from, to) = (self.keys.history(&self.keys.record(key)), id(from), id(to));
        let mut range = command(&[b"XRANGE", history.as_bytes(), from.as_bytes(), to.as_bytes()]);
        range.arg("COUNT").arg(limit);
        self.found_in(range).await
    }

    /// What is known of entries without what they keep, likewise.
    pub(super) async fn outlines_from(
        &self,
        key: &StateKey,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<Result<Vec<Outline>, Break>, Failure> {
        let (history, from, to) = (self.keys.history(&self.keys.record(key)), id(from), id(to));
        let mut range = command(&[b"XRANGE", history.as_bytes(), from.as_bytes(), to.as_bytes()]);
        range.arg("COUNT").arg(limit);
        let answer = self.value(&Request::one(range).of_bytes(LARGE)).await?;
        Ok(items(answer)?.and_then(|items| {
            items.into_iter().map(|(sequence, json)| outline(sequence, &json)).collect()
        }))
    }

    async fn found_in(&self, range: Cmd) -> Result<Result<Vec<Found>, Break>, Failure> {
        let answer = self.value(&Request::one(range).of_bytes(LARGE)).await?;
        Ok(items(answer)?.and_then(found))
    }

    /// The same with all that they keep, which takes so many bytes.
    pub(super) async fn whole_entries(
        &self,
        key: &StateKey,
        range: (u64, u64),
        bytes: usize,
    ) -> Result<Result<Vec<Found>, Break>, Failure> {
        Ok(self.document_and_entries(key, range, LARGE.max(bytes)).await?.1)
    }

    /// The same, and behind that what is under the key, if that is not large; else how it begins.
    pub(super) async fn document_and_entries(
        &self,
        key: &StateKey,
        (from, to): (u64, u64),
        bytes: usize,
    ) -> Result<(Option<Bytes>, Result<Vec<Found>, Break>), Failure> {
        let (record, last) = (self.keys.record(key), INLINE_BYTES.to_string());
        let (from, to) = (id(from), id(to));
        let look = command(&[b"GETRANGE", record.as_bytes(), b"0", last.as_bytes()]);
        let range =
            |stream: &str| command(&[b"XRANGE", stream.as_bytes(), from.as_bytes(), to.as_bytes()]);
        // The document comes last: where it is the one that it was, so it was at the entries.
        let request = Request::one(range(&self.keys.history(&record)))
            .then(range(&self.keys.contents(&record)))
            .then(look)
            .of_bytes(bytes);
        let mut answers = self.values(&request).await?;
        let (Some(Value::BulkString(document)), Some(contents), Some(entries)) =
            (answers.pop(), answers.pop(), answers.pop())
        else {
            return Err(STRANGE.into());
        };
        let (entries, contents) = (items(entries)?.and_then(found), items(contents)?);
        let document = Some(document).filter(|document| !document.is_empty()).map(Bytes::from);
        let whole = |entries| with_contents(entries, contents?);
        Ok((document, entries.and_then(whole)))
    }

    /// An entry with all that it keeps.
    pub(super) async fn whole(
        &self,
        key: &StateKey,
        found: Found,
    ) -> Result<Result<Found, Break>, Failure> {
        if !found.is_apart() {
            return Ok(Ok(found));
        }
        let bytes = usize::try_from(found.entry().size).unwrap_or(0);
        let sequence = found.sequence();
        let whole = self.whole_entries(key, (sequence, sequence), bytes).await?;
        Ok(whole.and_then(|mut whole| whole.pop().ok_or(missing(sequence))))
    }
}

/// The id of an entry.
pub(super) fn id(sequence: u64) -> String {
    format!("{sequence}-0")
}

/// Where a history stands, by what was seen of it.
pub(super) fn standing_of(
    count: &Value,
    newest: Value,
) -> Result<Result<Option<Standing>, Break>, Problem> {
    let Value::Int(count) = count else { return Err(STRANGE) };
    let entries = u64::try_from(*count).map_err(|_| STRANGE)?;
    let standing = |(sequence, json): Item| {
        let found = Found::read(sequence, &json)?.standing_truly()?;
        Ok(Standing { head: found.head(), keyframe: found.keyframe(), entries })
    };
    Ok(items(newest)?.and_then(|mut newest| newest.pop().map(standing).transpose()))
}

fn found(items: Vec<Item>) -> Result<Vec<Found>, Break> {
    items.into_iter().map(|(sequence, json)| Found::read(sequence, &json)).collect()
}

fn with_contents(found: Vec<Found>, contents: Vec<Item>) -> Result<Vec<Found>, Break> {
    let mut contents = contents.into_iter().peekable();
    let whole = found.into_iter().map(|found| {
        if !found.is_apart() {
            return Ok(found);
        }
        let sequence = found.sequence();
        while contents.next_if(|(other, _)| *other < sequence).is_some() {}
        let content = contents.next_if(|(other, _)| *other == sequence);
        let (_, content) = content.ok_or(missing(sequence))?;
        Ok(found.with_content(content))
    });
    whole.collect()
}

fn not_ours(sequence: u64) -> Break {
    Break::at(sequence, "its id is not one that this library gives")
}

fn missing(sequence: u64) -> Break {
    Break::at(sequence, "what it keeps is missing")
}

/// The entries in an answer.
// Input: [["17-0", ["entry", "{...}"]], ...]
fn items(answer: Value) -> Result<Items, Problem> {
    let Value::Array(items) = answer else { return Err(STRANGE) };
    let items: Vec<_> = items.into_iter().map(item).collect::<Result<_, _>>()?;
    Ok(items.into_iter().collect())
}

fn item(item: Value) -> Result<Result<Item, Break>, Problem> {
    let Value::Array(mut parts) = item else { return Err(STRANGE) };
    let (Some(Value::Array(mut fields)), Some(Value::BulkString(id)), None) =
        (parts.pop(), parts.pop(), parts.pop())
    else {
        return Err(STRANGE);
    };
    let numbers = std::str::from_utf8(&id).ok().and_then(|id| id.split_once('-'));
    let (Some((sequence, rest)), Some(Value::BulkString(value))) = (numbers, fields.pop()) else {
        return Err(STRANGE);
    };
    let sequence = sequence.parse().map_err(|_| STRANGE)?;
    let is_ours = rest == "0";
    Ok(if is_ours { Ok((sequence, value.into())) } else { Err(not_ours(sequence)) })
}
