//! Why the server did not do what it was asked for.

use std::fmt;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind, Value};

use super::RedisDurability;
use crate::error::Error;
use crate::key::StateKey;

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: Problem,
    /// Whether it may have been done all the same: it went out, and its answer was lost.
    pub(super) is_doubtful: bool,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, is_doubtful: false }
    }
}

/// What is wrong, and what to do about it. Holds nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("there is no tokio runtime here")]
    NoRuntime,

    #[error("it cannot be reached ({0}): see whether it runs, and whether the URL is right")]
    Unreachable(#[source] RedisError),

    #[error("it did not take a connection within {0:?}: see whether it runs and is reached")]
    NoConnection(Duration),

    #[error("it does not let this program in ({0}): look at the URL's user and password")]
    NotLetIn(#[source] RedisError),

    #[error("the connection was lost before the answer came ({0})")]
    Lost(#[source] RedisError),

    #[error("it gave no answer within {0:?}: see what keeps it busy, or allow more time")]
    TooSlow(Duration),

    #[error("{0}")]
    Refused(#[from] Refusal),

    #[error(
        "its answer is not one that Redis gives ({0}): see what is listening there, or whether \
         another program changed keys of this one"
    )]
    Strange(&'static str),

    #[error(
        "it evicted the new value before it was in place: set its `maxmemory-policy` to \
         `noeviction`"
    )]
    Evicted,

    #[error("its history went on again and again under the lease: see what else changes it")]
    HistoryMoves,

    #[error(
        "another history has begun since the one that was set aside with it: delete the keys of that \
         first, or drop what was set aside"
    )]
    HistoryBegun,

    #[error(
        "the server is to keep states with the durability `{required}`, and {}: change its \
         `appendonly`, `appendfsync` and `save`, or require less",
        .found.map_or_else(
            || "does not let this program see what it gives (CONFIG GET)".to_owned(),
            |found| format!("gives `{found}`")
        )
    )]
    NotDurable { required: RedisDurability, found: Option<RedisDurability> },

    #[error(
        "its writes are to reach {required} replicas, and {found} are connected to it: see why, or \
         require fewer"
    )]
    TooFewReplicas { required: u32, found: u32 },

    #[error(
        "it was written, and {found} of the {required} replicas that are required have it after \
         {within:?}: see what keeps the others"
    )]
    NotReplicated { required: u32, found: i64, within: Duration },

    #[error(
        "it is no master: connect to the master; where sentinels name it, they will name another \
         one when they have agreed on it"
    )]
    NotMaster,

    #[error("the sentinels know no master of that name: look at the URL and their configuration")]
    UnknownMaster,

    #[error(
        "the cluster has no master for the key: it will have one when a replica has taken over, or \
         see `CLUSTER INFO`"
    )]
    NoMaster,
}

impl Problem {
    /// As an error of the library's.
    pub(super) fn into_error(
        self,
        key: Option<&StateKey>,
        location: &str,
        operation: &'static str,
    ) -> Error {
        if self.is_outage() {
            return Error::out_of_reach(key, location, operation, self);
        }
        match self {
            Self::NoRuntime => Error::NoRuntime,
            problem => Error::backend(key, location, operation, problem),
        }
    }

    /// Whether it may be that of one command among others that were done. A server that is not
    /// ready does none.
    pub(super) fn is_of_a_part(&self) -> bool {
        match self {
            Self::Refused(refusal) => !refusal.is_passing() || refusal.is_of_a_moving_slot(),
            _ => false,
        }
    }
}

impl Problem {
    /// Whether the server is out of reach, rather than unwilling.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(error) => is_of_the_network(error),
            Self::NoConnection(_)
            | Self::Lost(_)
            | Self::TooSlow(_)
            | Self::TooFewReplicas { .. }
            | Self::NotMaster
            | Self::NoMaster => true,
            Self::Refused(refusal) => refusal.is_passing() || refusal.is_of_this_server(),
            _ => false,
        }
    }
}

/// Not so a certificate that is not trusted, or what listens there and does not speak as it should.
pub(super) fn is_of_the_network(error: &RedisError) -> bool {
    use std::error::Error as _;
    match error.kind() {
        ErrorKind::Io => {
            let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
            io.is_none_or(|io| io.kind() != std::io::ErrorKind::InvalidData)
        }
        ErrorKind::Server(ServerErrorKind::BusyLoading) => true,
        _ => false,
    }
}

/// How a slot has moved to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    ForGood,
    /// It is still moving.
    ForThisTime,
}

/// An error that the server answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: String,
    detail: String,
}

impl Refusal {
    pub(super) fn in_answer(answer: &Value) -> Option<Self> {
        match answer {
            Value::ServerError(error) => Some(Self::of(error)),
            _ => None,
        }
    }

    pub(super) fn of(error: &ServerError) -> Self {
        let detail = error.details().unwrap_or_default();
        // To a command that it does not know the server replies with the command's arguments.
        let detail = detail.split(", with args").next().unwrap_or_default();
        Self { code: error.code().to_owned(), detail: detail.to_owned() }
    }

    pub(super) fn is_unknown_script(&self) -> bool {
        self.code == "NOSCRIPT"
    }

    /// Whether it may go well in a moment; nothing was done yet.
    pub(super) fn is_passing(&self) -> bool {
        matches!(&*self.code, "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN")
    }

    /// Whether another connection may lead to a server that does it.
    pub(super) fn is_of_this_server(&self) -> bool {
        self.code == "READONLY"
    }

    /// What a server answers where the keys of a slot are partly on another one.
    pub(super) fn of_a_moving_slot() -> Self {
        Self { code: "TRYAGAIN".to_owned(), detail: String::new() }
    }

    /// Whether it will go well when a slot of a cluster has moved.
    pub(super) fn is_of_a_moving_slot(&self) -> bool {
        self.code == "TRYAGAIN"
    }

    /// Whether it sends to the server that a slot is moving to.
    pub(super) fn is_ask(&self) -> bool {
        self.code == "ASK"
    }

    /// The address of the server that it sends to.
    // Input: 3999 127.0.0.1:6381
    pub(super) fn redirection(&self) -> Option<(&str, Moved)> {
        let moved = match &*self.code {
            "MOVED" => Moved::ForGood,
            "ASK" => Moved::ForThisTime,
            _ => return None,
        };
        Some((self.detail.split(' ').nth(1)?, moved))
    }

    fn says(&self, words: &str) -> bool {
        self.detail.contains(words)
    }

    fn advice(&self) -> &'static str {
        const ACL: &str = "its access rules (ACL) forbid it: allow the user the commands and keys \
                           that the documentation of `RedisBackend` names";
        match &*self.code {
            "OOM" => "it has no memory left: raise its `maxmemory`, or delete states",
            "MISCONF" => "it cannot write to its disk: look at its log and its disk",
            "READONLY" => "it is a replica: connect to the master",
            "MOVED" | "ASK" | "CROSSSLOT" => {
                "it is part of a cluster: write `redis+cluster:` in the URL"
            }
            "CLUSTERDOWN" => "its cluster is not whole: see `CLUSTER INFO`",
            "TRYAGAIN" => "the key's slot is moving to another server: try again",
            "LOADING" => "it is still reading its data: try again",
            "BUSY" => "a script keeps it busy: see whose it is",
            "WRONGTYPE" => {
                "the key holds another type of value, which another program wrote: remove it, or \
                 choose another prefix"
            }
            "NOAUTH" => "it wants a password: write it into the URL",
            "NOPERM" => ACL,
            // In a script it has no code of its own.
            "ERR" if self.says("can't run this command") => ACL,
            "ERR" if self.says("cluster support disabled") => {
                "it is no part of a cluster: write `redis:` in the URL"
            }
            "ERR" if self.says("unknown command 'SENTINEL'") => {
                "it is no sentinel: write `redis:` in the URL"
            }
            "ERR" if self.says("unknown command") || self.says("syntax error") => {
                "it is older than Redis 7, or is told not to know the command: replace it"
            }
            _ => "look at its log",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered `{}", self.code)?;
        if !self.detail.is_empty() {
            write!(f, " {}", self.detail)?;
        }
        write!(f, "`: {}", self.advice())
    }
}

impl std::error::Error for Refusal {}
