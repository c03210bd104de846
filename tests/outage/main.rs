//! Backends that are out of reach, and states that wait for them on this machine's disk.

mod blobs;
mod breaker;
mod changes;
mod conflicts;
#[path = "../file_crash/disk.rs"]
mod disk;
mod meetings;
mod model;
mod place;
mod policies;
mod power;
#[path = "../file_crash/programs.rs"]
mod programs;
mod servers;
mod space;
mod spool;
