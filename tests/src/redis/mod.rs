//! Redis servers of the tests' own.

// As every test, it panics where something is not as it should be.
#![expect(clippy::missing_panics_doc)]

mod proxy;
mod server;
mod tls;

pub use proxy::{Cut, DELAY, Proxy, SLOW};
pub use server::{RedisServer, fresh_prefix, shared};
pub use tls::{Authority, shared_tls};
