//! What the Redis backend promises to many processes, proven while the server is killed, the
//! processes are killed and paused, and their clocks jump.

mod agents;
#[cfg(target_os = "linux")]
mod clocks;
mod holders;
mod kills;
mod ledgers;
mod outages;
