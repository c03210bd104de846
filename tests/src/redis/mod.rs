//! Redis servers of the tests' own.

mod proxy;
mod server;

pub use proxy::{Cut, DELAY, Proxy};
pub use server::{RedisServer, free_port, fresh_prefix, shared};
