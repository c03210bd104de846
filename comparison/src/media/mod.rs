//! What states are kept on, and who keeps them there.

mod file;
mod mariadb;
mod memory;
mod postgres;
mod redis;
mod sqlite;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use cogency_state::StateBackend;

use crate::contestant::{Contestant, Make, Outcome};

pub(crate) struct Medium {
    /// As headings and labels have it.
    pub(crate) name: &'static str,
    /// As names of aims have it.
    pub(crate) id: &'static str,
    /// The floor that this library is measured against: it has a whole state written.
    pub(crate) floor: &'static str,
    pub(crate) contestants: &'static [Contestant],
    /// Who is only looked at for what it writes.
    pub(crate) writers: &'static [Contestant],
    /// Starts what is needed. It may panic where something is missing.
    pub(crate) open: fn() -> Place,
    /// This library's backend, to be asked without a manager: with its history, but in memory, where
    /// that is all that a save does beside taking over a pointer.
    pub(crate) backend: Make<Arc<dyn StateBackend>>,
}

/// A server or a folder of this program's own. Dropped, it is gone.
pub(crate) struct Place {
    /// Where contestants go: a URL or a folder.
    pub(crate) at: String,
    /// What it is, with its version.
    pub(crate) about: String,
    /// How many bytes were written to it until now, by what counts there.
    pub(crate) written: Option<Box<dyn Fn() -> Outcome<u64>>>,
    /// How many bytes the states and what belongs to them take.
    pub(crate) stored: Option<Box<dyn Fn() -> Outcome<u64>>>,
    /// Gives back what is only room for what comes next.
    pub(crate) compact: Option<Box<dyn Fn()>>,
    /// What must live as long.
    #[expect(dead_code, reason = "kept until the place is dropped")]
    pub(crate) kept: Box<dyn Any>,
}

pub(crate) const ALL: [&Medium; 7] = [
    &memory::MEMORY,
    &file::FILE,
    &sqlite::SQLITE,
    &redis::EVERY_SECOND,
    &redis::ALWAYS,
    &postgres::POSTGRES,
    &mariadb::MARIADB,
];

/// Makes a contestant's constructor of what gives its store.
macro_rules! make {
    (|$at:ident| $store:expr) => {
        |at| {
            let $at = at.to_owned();
            Box::pin(async move {
                let store: Box<dyn crate::contestant::AnyStore> = Box::new($store);
                Ok(store)
            })
        }
    };
}
pub(crate) use make;

/// The same of what gives a backend.
macro_rules! backend {
    (|$at:ident| $backend:expr) => {
        |at| {
            let $at = at.to_owned();
            Box::pin(async move {
                let backend: std::sync::Arc<dyn cogency_state::StateBackend> =
                    std::sync::Arc::new($backend);
                Ok(backend)
            })
        }
    };
}
pub(crate) use backend;

/// What this process gave to write calls until now, as the kernel counts it.
fn given_to_writes() -> Outcome<u64> {
    let told = std::fs::read_to_string("/proc/self/io")?;
    let line = told.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(line.ok_or("the kernel does not count what is written")?.parse()?)
}

/// The length of all files in a folder.
fn bytes_in(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// The version that a program prints: the first number with dots.
fn version(program: &str) -> String {
    let told = std::process::Command::new(program).arg("--version").output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let told = told.unwrap_or_default();
    let words = told.split([' ', '=', '-']);
    let is_version = |word: &&str| word.contains('.') && word.starts_with(char::is_numeric);
    words.into_iter().find(is_version).unwrap_or("of an unknown version").to_owned()
}
