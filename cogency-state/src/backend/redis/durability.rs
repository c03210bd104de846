//! What the server's configuration promises.

use std::fmt;

use redis::Value;
use redis::aio::MultiplexedConnection;

use super::problem::{Problem, Refusal};

/// How soon a Redis server has on its disk what it acknowledged, by its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RedisDurability {
    /// Never: states are gone when the server ends.
    Never,
    /// From time to time: with snapshots (`save`), or when the operating system likes
    /// (`appendfsync no`). The states of the last minutes may be lost.
    Sometimes,
    /// Within a second or two (`appendfsync everysec`). The states of that time may be lost.
    EverySecond,
    /// Before it acknowledges (`appendfsync always`): nothing acknowledged is lost.
    Always,
}

impl RedisDurability {
    /// The words of [`fmt::Display`], as a URL has them.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Never, Self::Sometimes, Self::EverySecond, Self::Always]
            .into_iter()
            .find(|durability| durability.to_string() == word)
    }
}

impl fmt::Display for RedisDurability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Sometimes => "sometimes",
            Self::EverySecond => "everysec",
            Self::Always => "always",
        })
    }
}

/// What a server says about itself; `None` where it does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerConfig {
    pub(super) durability: Option<RedisDurability>,
    /// Whether it throws keys away when its memory is full: with some policies all records, with
    /// others (`volatile-…`) those that expire, and leases.
    pub(super) evicts: bool,
}

const ASKED: [&str; 4] = ["appendonly", "appendfsync", "save", "maxmemory-policy"];

/// Asks a server. One that forbids it (ACL, managed services) tells nothing.
pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<ServerConfig, Problem> {
    let mut pipeline = redis::pipe();
    for parameter in ASKED {
        pipeline.cmd("CONFIG").arg("GET").arg(parameter);
    }
    let answers = connection.send_packed_commands(&pipeline, 0, ASKED.len()).await;
    let mut settings = Vec::with_capacity(ASKED.len());
    for answer in answers.map_err(Problem::Unreachable)? {
        settings.push(setting(answer)?);
    }
    let [only, fsync, save, policy] = settings.as_slice() else {
        return Err(Problem::Strange("too few answers"));
    };
    Ok(ServerConfig {
        durability: durability(only.as_deref(), fsync.as_deref(), save.as_deref()),
        evicts: policy.as_deref().is_some_and(|policy| policy != "noeviction"),
    })
}

/// The value in an answer of name and value; `None` where it is forbidden.
fn setting(answer: Value) -> Result<Option<String>, Refusal> {
    match answer {
        Value::ServerError(error) if !matches!(error.code(), "NOPERM" | "ERR") => {
            Err(Refusal::of(&error))
        }
        answer => {
            let pairs = redis::from_redis_value::<Vec<(String, String)>>(answer).ok();
            Ok(pairs.and_then(|mut pairs| pairs.pop()).map(|(_, value)| value))
        }
    }
}

fn durability(
    only: Option<&str>,
    fsync: Option<&str>,
    save: Option<&str>,
) -> Option<RedisDurability> {
    match (only?, fsync?, save?) {
        ("yes", "always", _) => Some(RedisDurability::Always),
        ("yes", "everysec", _) => Some(RedisDurability::EverySecond),
        ("yes", ..) => Some(RedisDurability::Sometimes),
        (_, _, "") => Some(RedisDurability::Never),
        _ => Some(RedisDurability::Sometimes),
    }
}
