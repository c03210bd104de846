//! Redis servers of the tests' own.

// As every test, it panics where something is not as it should be.
#![expect(clippy::missing_panics_doc)]

mod cluster;
mod process;
mod proxy;
mod sentinels;
mod server;
mod tls;

use std::time::{Duration, Instant};

pub use cluster::{RedisCluster, shared_cluster};
pub use proxy::{Cut, DELAY, Proxy, SLOW};
pub use sentinels::{MASTER, Sentinels};
pub use server::{RedisServer, fresh_prefix, shared};
pub use tls::{Authority, shared_tls};

/// How long servers may take to agree on something, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that servers agree on.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
