//! Redis servers of the tests' own.

mod server;

pub use server::{RedisServer, fresh_prefix, shared};
