//! States that nobody touched for long, and what is old of histories, in files that anything can
//! read.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use cogency_state::archive::Archive;
//! use cogency_state::{DatabaseBackend, StateKey, StateManager};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cogency_state::Error> {
//! let manager = StateManager::new(DatabaseBackend::connect("sqlite:agents.db").await?);
//! let archive = Archive::in_folder("/srv/archive")?;
//!
//! let quarter = Duration::from_secs(90 * 24 * 60 * 60);
//! let report = archive.states(&manager, quarter)
//!     .on_progress(|progress| println!("{} archived", progress.report.archived))
//!     .run()
//!     .await?;
//! println!("{} states moved into {} files", report.removed, report.files);
//!
//! archive.restore(&manager, &StateKey::for_user("alice")?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The format
//! A file `<name>.jsonl.gz` is gzip (RFC 1952) over lines of JSON: `zcat` and `jq` read it. The
//! first line is `{"format":"cogency-archive","version":1,"entries":2}`; each other one is an
//! entry:
//!
//! ```json
//! {"kind":"state","user_id":"alice","session_id":"default","version":2,"write_id":"b579a460-…",
//!  "schema_version":"1.0","state_type":"agent::Chat","saved_at":"2026-01-31T12:00:00.000000Z",
//!  "saved_by":"host:4711","expires_at":null,"metadata":{…},"checksum":"9f8ad30aa8c8aae6",
//!  "state":{"turns":["hello"]}}
//! ```
//!
//! (on one line). `state` is what was stored, byte for byte; a state with line breaks stands as a
//! text in `state_text` instead. An entry of a history is
//!
//! ```json
//! {"kind":"history","user_id":"alice","session_id":"default",
//!  "entry":{"previous":"0000…","hash":"7be1…","sequence":1,"event":"save","kind":"keyframe",…}}
//! ```
//!
//! with the fields of [`HistoryRow`](crate::HistoryRow). What one version is rebuilt from is in one
//! file. `<name>.manifest.json` has the file's name, length and SHA-256,
//! and lists its entries. It is written when the file was read back and found to be right, and
//! only then are rows removed: a file without a manifest counts for nothing. An empty
//! `<name>.done` says that all of its rows are removed. Names begin with the time.
//!
//! [Blobs](crate::Blob) that an entry names are taken along, one file for each in `blobs/`, called by
//! its SHA-256; several entries may name one. Those that were missing when their entries were
//! archived are the manifest's `missing_blobs`.
//!
//! What is archived stays: to forget something for good, remove all three, and its blobs.

mod blobs;
mod entry;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod histories;
mod manifest;
mod past;
mod place;
mod problem;
mod restore;
mod run;
mod source;
mod versions;

#[cfg(test)]
mod frozen;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use self::place::Place;
use self::problem::Problem;
use self::run::Run;
use self::source::States;
use crate::backend::no_queries;
use crate::disk::folder::{Folder, sync_above};
use crate::error::Error;
use crate::manager::StateManager;
use crate::query::Filter;

pub use self::entry::Archived;
pub use self::histories::MoveHistory;

/// The folder in a place: files of another format would be in another.
const FOLDER: &str = "v1";
/// How many entries a file has at most, unless told.
const PER_FILE: usize = 1_000;

/// A place for states that nobody touched for long, and for old entries of histories: a folder, or any object store.
///
/// Several programs may read it at once. Let one at a time move states into it: two would each
/// archive some states, and nothing would be lost, but these would be there twice.
#[derive(Clone, Debug)]
pub struct Archive {
    place: Place,
}

impl Archive {
    /// An archive in a folder, which is made if it is not there. Its files are for nobody else to
    /// read, and on the disk before any row is removed.
    ///
    /// # Errors
    /// [`Error::Backend`] if the folder cannot be made. This blocks for a moment.
    pub fn in_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let opened = make_private(&folder.join(FOLDER)).map_err(Problem::from);
        let opened = opened.and_then(|()| Ok(LocalFileSystem::new_with_prefix(folder)?));
        let failed = |problem| {
            let location = format!("archive:{}", folder.display());
            Error::backend(None, &location, "open", problem)
        };
        let files = opened.map_err(failed)?.with_fsync(true);
        Ok(Self { place: Place::on_disk(files, FOLDER) })
    }

    /// An archive in an object store, below a folder of it: for example
    /// `object_store::aws::AmazonS3` (cargo feature `archive-s3`). The store has to know
    /// `PutMode::Create`, and to have on its disks what it acknowledges.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, folder: &str) -> Self {
        let folder = format!("{folder}/{FOLDER}");
        Self { place: Place::new(store, folder.trim_start_matches('/')) }
    }

    /// Moves states here that nobody saved for so long, by this host's clock.
    pub fn states<'a>(&'a self, manager: &'a StateManager, untouched: Duration) -> Move<'a> {
        let told = Box::new(|_: &Progress| ());
        let (filter, per_file) = (Filter::all(), PER_FILE);
        Move { archive: self, manager, untouched, filter, per_file, told }
    }
}

/// The folder keeps others out before a file in it does. `object_store` syncs those that it makes
/// itself.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let path = std::path::absolute(folder)?;
    let made = Folder::create(&path)?;
    made.make_private()?;
    sync_above(&path)
}

/// States that are to be moved into an archive: see [`Archive::states`].
#[must_use = "nothing is moved before `run`"]
pub struct Move<'a> {
    archive: &'a Archive,
    manager: &'a StateManager,
    untouched: Duration,
    filter: Filter,
    per_file: usize,
    told: Box<dyn Fn(&Progress) + Send + Sync + 'a>,
}

impl<'a> Move<'a> {
    /// Only those: of some users, or of runs that are over.
    pub fn only(mut self, filter: Filter) -> Self {
        self.filter = self.filter.and(filter);
        self
    }

    /// At most so many in one file, 1,000 unless told. All of them are in memory at once, and a
    /// restore reads a whole file; a file has no more than some 16 MiB in any case.
    pub fn per_file(mut self, states: usize) -> Self {
        self.per_file = states.max(1);
        self
    }

    /// Tells of each step.
    pub fn on_progress(mut self, told: impl Fn(&Progress) + Send + Sync + 'a) -> Self {
        self.told = Box::new(told);
        self
    }

    /// Moves them. First it ends what an earlier run began that was interrupted.
    ///
    /// A state is removed only once the file that it is in was read back and found to be right,
    /// only under its lease, and only if it was not saved since. One that cannot be read
    /// stays, as does one with a damaged blob: both count as unreadable.
    ///
    /// # Errors
    /// [`Error::Config`] if the backend [answers no queries](crate::Capabilities::queries),
    /// [`Error::Backend`] if the backend or the archive fails. What was done until then counts; the
    /// next run goes on from there.
    ///
    /// # Cancellation
    /// At any moment, as a `kill -9`: nothing is lost, and the next run goes on from there.
    pub async fn run(self) -> Result<Report, Error> {
        let backend = self.manager.backend();
        if !backend.capabilities().queries {
            return Err(no_queries(backend.location()));
        }
        let before = SystemTime::now().checked_sub(self.untouched);
        let before = before.unwrap_or(SystemTime::UNIX_EPOCH);
        let mut states = States::new(self.manager.clone(), before, self.filter);
        Run::new(&self.archive.place, &mut states, self.per_file, &*self.told).go().await
    }
}

impl fmt::Debug for Move<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Move")
            .field("archive", &self.archive)
            .field("untouched", &self.untouched)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

/// How far a run has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// What was done last.
    pub step: Step,
    /// What was done until now.
    pub report: Report,
}

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// States, or entries of histories, for a file were read.
    Read,
    /// They were written to it.
    Written,
    /// It was read back and found to be right.
    Verified,
    /// It has its manifest: the archive has them.
    Sealed,
    /// They were removed from where they were.
    Removed,
    /// That was noted.
    Done,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Files that were written.
    pub files: u64,
    /// States, or entries of histories, in them.
    pub archived: u64,
    /// Bytes of them, compressed.
    pub bytes: u64,
    /// Those that were removed, also those of an earlier run.
    pub removed: u64,
    /// Those that are archived, but were changed since, or that somebody is at work on.
    pub kept: u64,
    /// States, or whole histories, that cannot be read, and were left where they are.
    pub unreadable: u64,
    is_over: bool,
}
