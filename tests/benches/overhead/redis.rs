//! The Redis backend against what one writes by hand with redis-rs on the same kind of connection.
//!
//! Two floors: `GET` + `SET`, where the last writer wins; and `GET` + a compare-and-set script, with
//! the version under a key of its own, so that neither the script nor the client looks through the
//! old value. Neither has a lease, a checksum or fencing, nor tells a repeated save from a new one.

use std::sync::Arc;

use cogency_state::{RedisBackend, StateManager};
use cogency_state_tests::redis::RedisServer;
use criterion::Criterion;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, Script};
use tokio::runtime::Runtime;

use crate::chat::Chat;
use crate::many::{KEYS, on_all_keys};
use crate::pairs::Pairs;
use crate::{Size, call, prepare};

/// How often each of many keys is worked on.
const TURNS: u32 = 4;

const COMPARE_AND_SET: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('MSET', KEYS[1], ARGV[3], KEYS[2], ARGV[2])
return 1";

#[derive(Clone, Copy, PartialEq)]
enum Guarantee {
    LastWriterWins,
    CompareAndSet,
}

#[derive(Clone)]
struct Floor {
    connection: MultiplexedConnection,
    script: Arc<Script>,
    guarantee: Guarantee,
}

impl Floor {
    async fn new(server: &RedisServer, guarantee: Guarantee) -> Self {
        let client = Client::open(server.url()).expect("a URL");
        // Many large states at once take longer than redis-rs waits unless told.
        let patient = AsyncConnectionConfig::new().set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&patient);
        let connection = connecting.await.expect("connected");
        Self { connection, script: Arc::new(Script::new(COMPARE_AND_SET)), guarantee }
    }

    async fn prepare(&self, key: &str, chat: &Chat) {
        let json = serde_json::to_vec(chat).expect("a chat is JSON");
        let values = [(key.to_owned(), json), (format!("{key}:version"), b"0".to_vec())];
        let () = self.connection.clone().mset(&values).await.expect("saved");
    }

    async fn call(&self, key: &str) {
        match self.guarantee {
            Guarantee::LastWriterWins => self.get_and_set(key).await,
            Guarantee::CompareAndSet => self.get_and_compare_and_set(key).await,
        }
    }

    async fn get_and_set(&self, key: &str) {
        let mut connection = self.connection.clone();
        let json: Vec<u8> = connection.get(key).await.expect("loaded");
        let () = connection.set(key, turned(&json)).await.expect("saved");
    }

    async fn get_and_compare_and_set(&self, key: &str) {
        let mut connection = self.connection.clone();
        let version_key = format!("{key}:version");
        let (json, version): (Vec<u8>, u64) =
            connection.mget(&[key, &version_key]).await.expect("loaded");
        let mut save = self.script.prepare_invoke();
        save.key(key).key(version_key).arg(version).arg(version + 1).arg(turned(&json));
        let saved: bool = save.invoke_async(&mut connection).await.expect("saved");
        assert!(saved, "somebody else saved");
    }
}

fn turned(json: &[u8]) -> Vec<u8> {
    let mut chat: Chat = serde_json::from_slice(json).expect("saved by us");
    chat.turn();
    serde_json::to_vec(&chat).expect("a chat is JSON")
}

pub(crate) fn all_pairs(criterion: &mut Criterion, runtime: &Runtime, size: Size) -> Vec<Pairs> {
    // As most are run: the disk hides nothing of what the calls cost.
    let server = RedisServer::with(&["--appendfsync", "everysec"]);
    let chat = Chat::of_bytes(size.bytes);
    let manager = StateManager::new(RedisBackend::new(&server.url()).expect("a URL"));
    let mut pairs = Vec::new();
    for guarantee in [Guarantee::CompareAndSet, Guarantee::LastWriterWins] {
        let floor = runtime.block_on(Floor::new(&server, guarantee));
        runtime.block_on(async {
            for nth in 0..KEYS {
                let key = format!("user-{nth}");
                floor.prepare(&key, &chat).await;
                // The second time it is there already.
                let _ = prepare(&manager, &key, &chat).await;
            }
        });
        let against = match guarantee {
            Guarantee::CompareAndSet => "GET + script",
            Guarantee::LastWriterWins => "GET + SET",
        };
        pairs.push(Pairs::bench(
            criterion,
            runtime,
            format!("redis, {}, {against}", size.name),
            async || floor.call("user-0").await,
            async || call(&manager, "user-0").await.expect("saved"),
        ));
        let (floor, manager) = (&floor, &manager);
        let many = Pairs::bench(
            criterion,
            runtime,
            format!("redis, {KEYS} x {}, {against}", size.name),
            async || {
                on_all_keys(|key| {
                    let floor = floor.clone();
                    async move {
                        for _ in 0..TURNS {
                            floor.call(&key).await;
                        }
                    }
                })
                .await;
            },
            async || {
                on_all_keys(|key| {
                    let manager = manager.clone();
                    async move {
                        for _ in 0..TURNS {
                            call(&manager, &key).await.expect("saved");
                        }
                    }
                })
                .await;
            },
        );
        pairs.push(many.of_calls(KEYS * TURNS));
    }
    pairs
}
