//! What the file backend promises, proven under kills, power cuts and hostile file systems.
//!
//! Some tests mount file systems and trace system calls. They need Linux, root, and the programs
//! `mkfs.ext4`, `mount`, `umount`, `perl` and `strace`; without them they fail, none is skipped.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod agent;
mod blobs;
mod cancel;
mod copies;
mod counting;
mod damage;
mod defects;
mod disk;
mod expiry;
mod failed_syncs;
mod foreign;
mod format;
mod holding;
mod ids;
mod inherited;
mod journal_kills;
mod journals;
mod kills;
mod links;
mod order;
mod place;
mod power;
mod privacy;
mod programs;
mod reading;
mod removal;
mod space;
mod trace;
