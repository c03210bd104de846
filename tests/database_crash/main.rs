//! What the database backend promises, proven on disks whose power is cut, that are full, or for
//! reading only.
//!
//! These tests mount file systems. They need Linux, root, and the programs `mkfs.ext4`, `mount`,
//! `umount` and `perl`; without them they fail, none is skipped.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../file_crash/agent.rs"]
#[expect(dead_code, unused_imports, reason = "not all of it is needed here")]
mod agent;
mod archives;
#[path = "../file_crash/disk.rs"]
mod disk;
mod power;
#[path = "../file_crash/programs.rs"]
mod programs;
mod servers;
mod space;
mod words;
mod writers;
