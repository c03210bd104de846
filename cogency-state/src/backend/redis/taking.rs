//! Takes a lease and looks at the record, in one round trip.
//!
//! A transaction of plain commands costs the server a third of what a script does. `SET NX` takes
//! the lease if nobody has it; the record is read whoever has it.

use redis::Value;

use super::claim::{Attempt, REMEMBERED};
use super::keys::Names;
use super::problem::{Problem, Refusal};
use super::records::INLINE_BYTES;
use super::request::Request;
use crate::holder::Holder;

/// What the server did and saw, as one step.
pub(super) struct Looked {
    /// The value of the lease that was there already.
    pub(super) lease: Option<Vec<u8>>,
    /// How many milliseconds the lease's key lives.
    pub(super) lives: i64,
    /// The server's clock, in microseconds since 1970.
    pub(super) micros: u64,
    /// The record, if there is one.
    pub(super) record: Result<Option<Beginning>, Refusal>,
}

/// How a value begins, and how long it is.
pub(super) struct Beginning {
    pub(super) bytes: Vec<u8>,
    pub(super) length: i64,
}

/// A request that takes a lease for so many milliseconds, and gives so many bytes of the record.
pub(super) fn request(
    names: &Names,
    attempt: &Attempt,
    holder: &Holder,
    lives: &str,
    bytes: usize,
) -> Request {
    let mut take = redis::cmd("SET");
    take.arg(&names.lease).arg(attempt.value(holder)).arg("NX").arg("GET").arg("PX").arg(lives);
    let mut look = redis::cmd("GETRANGE");
    look.arg(&names.record).arg(0).arg(bytes.saturating_sub(1));
    let of = |command, name: &str| {
        let mut command = redis::cmd(command);
        command.arg(name);
        command
    };
    Request::one(redis::cmd("MULTI"))
        .then(take)
        .then(of("PTTL", &names.lease))
        .then(redis::cmd("TIME"))
        .then(of("EXISTS", &names.record))
        .then(of("STRLEN", &names.record))
        .then(look)
        .then(redis::cmd("EXEC"))
}

impl Looked {
    pub(super) fn of(answer: Value) -> Result<Self, Problem> {
        let Value::Array(parts) = answer else { return Err(STRANGE) };
        let [lease, lives, time, exists, length, bytes]: [Value; 6] =
            parts.try_into().map_err(|_| STRANGE)?;
        Ok(Self {
            lease: value(lease)?,
            lives: number(lives)?,
            micros: micros(time)?,
            record: record(exists, length, bytes)?,
        })
    }

    /// Whether the lease lasts, by the server's clock.
    pub(super) fn lasts(&self) -> bool {
        i128::from(self.lives) > i128::try_from(REMEMBERED.as_millis()).unwrap_or(i128::MAX)
    }
}

impl Beginning {
    /// Whether it is all.
    pub(super) fn is_whole(&self) -> bool {
        usize::try_from(self.length) == Ok(self.bytes.len()) && self.bytes.len() <= INLINE_BYTES
    }
}

const STRANGE: Problem = Problem::Strange("not what a transaction for leases gives");

fn value(answer: Value) -> Result<Option<Vec<u8>>, Problem> {
    match answer {
        Value::Nil => Ok(None),
        Value::BulkString(value) => Ok(Some(value)),
        answer => Err(refusal(&answer)),
    }
}

fn number(answer: Value) -> Result<i64, Problem> {
    match answer {
        Value::Int(number) => Ok(number),
        answer => Err(refusal(&answer)),
    }
}

fn micros(time: Value) -> Result<u64, Problem> {
    let (seconds, micros): (u64, u64) = redis::from_redis_value(time).map_err(|_| STRANGE)?;
    Ok(seconds.saturating_mul(1_000_000).saturating_add(micros))
}

/// A key of another type is refused here, by the server, when the lease is taken already.
fn record(
    exists: Value,
    length: Value,
    bytes: Value,
) -> Result<Result<Option<Beginning>, Refusal>, Problem> {
    if let Some(refusal) = Refusal::in_answer(&bytes) {
        return Ok(Err(refusal));
    }
    let (exists, length) = (number(exists)?, number(length)?);
    let bytes = value(bytes)?.ok_or(STRANGE)?;
    Ok(Ok((exists == 1).then_some(Beginning { bytes, length })))
}

fn refusal(answer: &Value) -> Problem {
    Refusal::in_answer(answer).map_or(STRANGE, Problem::from)
}
