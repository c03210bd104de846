//! Redis by redis-rs, on one connection that all share.

use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, Script};

use super::change::Held;
use super::turned;
use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

async fn connect(url: &str) -> Outcome<MultiplexedConnection> {
    // Many large states at once take longer than redis-rs waits unless told.
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await?)
}

/// `GET` and `SET`: the last writer wins.
pub(crate) struct Set(MultiplexedConnection);

impl Set {
    pub(crate) async fn at(url: &str) -> Outcome<Self> {
        Ok(Self(connect(url).await?))
    }
}

impl Store for Set {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        Ok(self.0.clone().set(format!("set:{key}"), chat.json()).await?)
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let (mut connection, key) = (self.0.clone(), format!("set:{key}"));
        let json: Vec<u8> = connection.get(&key).await?;
        Ok(connection.set(&key, turned(&json, turn)?).await?)
    }
}

const COMPARE_AND_SET: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('MSET', KEYS[1], ARGV[3], KEYS[2], ARGV[2])
return 1";

/// `MGET` and a script that compares the version, which has a key of its own.
pub(crate) struct Compared {
    connection: MultiplexedConnection,
    script: Script,
}

impl Compared {
    pub(crate) async fn at(url: &str) -> Outcome<Self> {
        Ok(Self { connection: connect(url).await?, script: Script::new(COMPARE_AND_SET) })
    }
}

/// The key of a state and that of its version.
fn keys(key: &str) -> [String; 2] {
    [format!("compared:{key}"), format!("compared:{key}:version")]
}

impl Store for Compared {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        let [state, version] = keys(key);
        let values = [(state, chat.json()), (version, b"0".to_vec())];
        Ok(self.connection.clone().mset(&values).await?)
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let (mut connection, [state, version]) = (self.connection.clone(), keys(key));
        let (json, found): (Vec<u8>, u64) = connection.mget(&[&state, &version]).await?;
        let mut save = self.script.prepare_invoke();
        save.key(state).key(version).arg(found).arg(found + 1).arg(turned(&json, turn)?);
        let saved: bool = save.invoke_async(&mut connection).await?;
        saved.then_some(()).ok_or_else(|| "somebody else saved".into())
    }
}

/// A stream of changes. Its entries are numbered by version, so that a stale save is refused.
pub(crate) struct Pushed {
    connection: MultiplexedConnection,
    held: Held,
}

impl Pushed {
    pub(crate) async fn at(url: &str) -> Outcome<Self> {
        Ok(Self { connection: connect(url).await?, held: Held::default() })
    }
}

impl Store for Pushed {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        let json = chat.json();
        let stream = format!("pushed:{key}");
        let _: String = self.connection.clone().xadd(stream, "0-1", &[("", &json)]).await?;
        self.held.put(key, json);
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let (mut connection, stream) = (self.connection.clone(), format!("pushed:{key}"));
        let newest: StreamRangeReply = connection.xrevrange_count(&stream, "+", "-", 1).await?;
        let newest = newest.ids.first().ok_or("the stream is gone")?;
        let version: u64 = newest.id.trim_start_matches("0-").parse()?;
        let (new, change) = self.held.turned(key, turn)?;
        let id = format!("0-{}", version + 1);
        let _: String = connection.xadd(stream, id, &[("", change)]).await?;
        self.held.put(key, new);
        Ok(())
    }
}
