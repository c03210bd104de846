//! The conformance suite on the backends of this library, and on broken ones.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod broken;
mod database;
mod fault;
mod file;
mod memory;
mod redis;
mod table;
