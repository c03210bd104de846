//! Backends that are out of reach, and states that wait for them on this machine's disk.

mod breaker;
mod conflicts;
mod model;
mod place;
mod policies;
mod spool;
