//! A Redis server that syncs its log every second, as most are run, and one that syncs each write.

use std::sync::Arc;

use cogency_state::RedisBackend;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

use super::{Medium, Place, backend, bytes_in, make, version};
use crate::contestant::{Contestant, Guarantees, Kind, Outcome, POWER_CUT};
use crate::floors::redis::{Compared, Pushed, Set};
use crate::ours::Ours;
use crate::peers::tower_sessions::Sessions;
use crate::servers::redis::RedisServer;

const FLOOR: &str = "GET + compare-and-set script";
const A_SECOND: &str = "a power cut, but for the last second";

pub(super) static EVERY_SECOND: Medium = Medium {
    name: "Redis, everysec",
    id: "redis",
    floor: FLOOR,
    contestants: &CONTESTANTS[0],
    writers: &[],
    open: || open("everysec"),
    backend: backend!(|at| RedisBackend::new(&at)?),
};

pub(super) static ALWAYS: Medium = Medium {
    name: "Redis, always",
    id: "redis-always",
    floor: FLOOR,
    contestants: &CONTESTANTS[1],
    writers: &[],
    open: || open("always"),
    backend: backend!(|at| RedisBackend::new(&at)?),
};

static CONTESTANTS: [[Contestant; 5]; 2] = [contestants(A_SECOND), contestants(POWER_CUT)];

const fn contestants(survives: &'static str) -> [Contestant; 5] {
    [
        Contestant {
            name: "GET + SET",
            kind: Kind::Floor,
            guarantees: Guarantees::NONE.survives(survives),
            make: make!(|at| Set::at(&at).await?),
        },
        Contestant {
            name: FLOOR,
            kind: Kind::Floor,
            guarantees: Guarantees::NONE.versioned().survives(survives),
            make: make!(|at| Compared::at(&at).await?),
        },
        Contestant {
            name: "push of the change",
            kind: Kind::Floor,
            guarantees: Guarantees::NONE.versioned().survives(survives).history("all versions"),
            make: make!(|at| Pushed::at(&at).await?),
        },
        Contestant {
            name: "cogency-state",
            kind: Kind::Ours,
            guarantees: Guarantees::ours("bounded", survives),
            make: make!(|at| Ours::over(RedisBackend::new(&at)?)),
        },
        Contestant {
            name: "tower-sessions",
            kind: Kind::Peer,
            guarantees: Guarantees::NONE.survives(survives),
            make: make!(|at| sessions(&at).await?),
        },
    ]
}

/// A pool of six, as its documentation has it.
async fn sessions(url: &str) -> Outcome<Sessions<RedisStore<Pool>>> {
    let pool = Pool::new(Config::from_url(url)?, None, None, None, 6)?;
    pool.init().await?;
    Ok(Sessions::in_store(RedisStore::new(pool)))
}

/// Its log is not written anew while somebody measures: that would slow whoever comes just then.
fn open(appendfsync: &str) -> Place {
    let settings = ["--appendfsync", appendfsync, "--auto-aof-rewrite-percentage", "0"];
    let server = Arc::new(RedisServer::with(&settings));
    let (log, keys) = (Arc::clone(&server), Arc::clone(&server));
    Place {
        at: server.url(),
        about: format!("Redis {}, appendfsync {appendfsync}", version("redis-server")),
        written: Some(Box::new(move || bytes_in(&log.folder().join("appendonlydir")))),
        stored: Some(Box::new(move || bytes_of_keys(&keys))),
        compact: None,
        kept: Box::new(server),
    }
}

/// What all keys take of the server's memory.
fn bytes_of_keys(server: &RedisServer) -> Outcome<u64> {
    let keys: Vec<String> = server.send(&["KEYS", "*"])?;
    let mut bytes = 0;
    for key in keys {
        let of_key: Option<u64> = server.send(&["MEMORY", "USAGE", &key, "SAMPLES", "0"])?;
        bytes += of_key.unwrap_or(0);
    }
    Ok(bytes)
}
