//! Takes a lease and looks at the record, in one round trip.
//!
//! Plain commands cost the server a fifth of what a script does, and need not be one step: `SET NX`
//! takes the lease if nobody has it, and whatever comes behind it happens under that lease.

use redis::Value;

use super::claim::Attempt;
use super::known::KnownRecord;
use super::problem::Problem;
use super::reading::standing_of;
use super::records::Records;
use super::request::{INLINE_BYTES, Request, command};
use super::standing::Stands;

/// What to look at.
#[derive(Clone, Copy)]
pub(super) enum Look<'a> {
    /// Only whether the key is that of a record.
    Type,
    /// A record that is not known.
    Unknown,
    /// Whether it is still this one.
    Known(&'a KnownRecord),
}

/// What the server did and saw.
pub(super) struct Looked {
    /// The value of the lease that was there already.
    pub(super) lease: Option<Vec<u8>>,
    /// The server's clock, in microseconds since 1970.
    pub(super) micros: u64,
    /// When the record was to expire before the lease kept it, in milliseconds.
    pub(super) expires: Option<i64>,
    /// How the record's value begins; empty if there is none.
    pub(super) beginning: Vec<u8>,
    /// What was asked besides: how many of record and lease are there, or how long the value is.
    pub(super) more: Option<i64>,
    /// Where the history stands, where that was asked. One that cannot be read is nobody's concern
    /// before something is to be noted in it.
    pub(super) stands: Stands,
}

/// What [`Looked::more`] is if there is only the lease.
pub(super) const ONLY_THE_LEASE: i64 = 1;

impl Look<'_> {
    /// A request that takes the lease, whose key lives for so many milliseconds, and looks at the
    /// record, which lives for as many as the lease lasts unless it is known to stay anyway.
    ///
    /// Who does not get the lease keeps the record too, for no longer than whoever has it could.
    /// Its history is kept with it, and goes a moment later: never before it.
    pub(super) fn request(
        self,
        attempt: &Attempt,
        lives: &str,
        lasts: &str,
        with_standing: bool,
    ) -> Request {
        let (record, value) = (attempt.record().as_bytes(), attempt.value());
        let lease = attempt.lease_name().as_bytes();
        let last = self.bytes().to_string();
        let take = command(&[b"SET", lease, &value, b"NX", b"GET", b"PX", lives.as_bytes()]);
        let keep = |name: &[u8]| command(&[b"PEXPIRE", name, lasts.as_bytes(), b"GT"]);
        let mut request = Request::one(take)
            .then_without_key(command(&[b"TIME"]))
            .then(command(&[b"PEXPIRETIME", record]));
        if self.may_expire() {
            let names = [attempt.record(), attempt.history(), attempt.contents()];
            request = names.iter().fold(request, |all, name| all.then(keep(name.as_bytes())));
        }
        if with_standing {
            let commands = Records::look_at_history(attempt.history());
            request = commands.into_iter().fold(request, Request::then);
        }
        let request = request.then(command(&[b"GETRANGE", record, b"0", last.as_bytes()]));
        match self {
            // Of the two keys the lease is there. A server that a slot is moving to asks for
            // patience if it has only one of two keys, and says of one that there is none.
            Self::Unknown => request.then(command(&[b"EXISTS", record, lease])),
            Self::Known(known) if known.is_large() => request.then(command(&[b"STRLEN", record])),
            Self::Type | Self::Known(_) => request,
        }
    }

    /// Where the history of a record stands that is known, if it is still that record.
    pub(super) fn stands(self) -> Stands {
        match self {
            Self::Known(known) if !known.more().is_shared => known.more().stands.clone(),
            Self::Known(_) | Self::Type | Self::Unknown => Stands::Unknown,
        }
    }

    /// Whether the record may be one that expires.
    fn may_expire(self) -> bool {
        match self {
            Self::Known(known) => !known.more().is_immortal,
            Self::Type | Self::Unknown => true,
        }
    }

    /// The number of the last byte to see.
    fn bytes(self) -> usize {
        match self {
            Self::Type => 0,
            Self::Known(known) if known.is_large() => known.beginning.len() - 1,
            // One more than what is read here tells that there is more.
            Self::Unknown | Self::Known(_) => INLINE_BYTES,
        }
    }
}

impl Looked {
    pub(super) fn of(
        look: Look<'_>,
        with_standing: bool,
        answers: Vec<Value>,
    ) -> Result<Self, Problem> {
        const STRANGE: Problem = Problem::Strange("not what the commands for leases give");
        let mut answers = answers.into_iter();
        let mut next = || answers.next().ok_or(STRANGE);
        let lease = redis::from_redis_value(next()?).map_err(|_| STRANGE)?;
        let (seconds, micros): (u64, u64) =
            redis::from_redis_value(next()?).map_err(|_| STRANGE)?;
        let Value::Int(expires) = next()? else { return Err(STRANGE) };
        // Whether that was changed is of no interest.
        for _ in 0..if look.may_expire() { 3 } else { 0 } {
            next()?;
        }
        let stands = if with_standing {
            standing_of(&next()?, next()?)?.map_or(Stands::Unknown, Stands::from)
        } else {
            look.stands()
        };
        let Value::BulkString(beginning) = next()? else { return Err(STRANGE) };
        let more = match answers.next() {
            Some(Value::Int(number)) => Some(number),
            None => None,
            Some(_) => return Err(STRANGE),
        };
        let micros = seconds.saturating_mul(1_000_000) + micros;
        let expires = (expires >= 0).then_some(expires);
        Ok(Self { lease, micros, expires, beginning, more, stands })
    }
}
