//! One run of an archive, step by step.
//!
//! 1. what an earlier run archived but did not remove is removed;
//! 2. rows are read, the blobs that they name are taken along, and the rows are written to a file;
//! 3. the file is read back, and compared with the rows;
//! 4. its manifest is written: from here on the archive has these rows;
//! 5. the rows are removed, and that is noted.
//!
//! Killed before 4, a run leaves a file that nobody heeds; killed after it, its rows are removed by
//! the next.

use std::collections::HashSet;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::blobs::{self, NotTaken};
use super::entry::{Entry, Id};
use super::file;
use super::manifest::Manifest;
use super::place::Place;
use super::problem::Problem;
use super::source::{Removed, Source};
use super::{Progress, Report, Step};
use crate::error::Error;
use crate::key::StateKey;

/// A file has no more than this, before it is compressed, but for its last rows.
const MAX_BYTES: usize = 16 << 20;

pub(super) struct Run<'a> {
    place: &'a Place,
    source: &'a mut dyn Source,
    /// How many rows a file has at most.
    entries: usize,
    told: &'a (dyn Fn(&Progress) + Send + Sync),
    /// What is archived, and could not be removed yet.
    busy: HashSet<Id>,
    /// The keys that have a damaged blob.
    damaged: HashSet<StateKey>,
    report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        place: &'a Place,
        source: &'a mut dyn Source,
        entries: usize,
        told: &'a (dyn Fn(&Progress) + Send + Sync),
    ) -> Self {
        let (busy, damaged, report) = (HashSet::new(), HashSet::new(), Report::default());
        Self { place, source, entries, told, busy, damaged, report }
    }

    pub(super) async fn go(mut self) -> Result<Report, Error> {
        self.finish_earlier().await?;
        while let Some(entries) = self.read().await? {
            self.archive(entries).await?;
        }
        Ok(self.report)
    }

    async fn finish_earlier(&mut self) -> Result<(), Error> {
        let listing = self.place.list().await.map_err(|problem| self.failed(problem))?;
        self.place.sweep(&listing).await.map_err(|problem| self.failed(problem))?;
        for name in listing.sealed.iter().filter(|name| !listing.is_done(name)) {
            let manifest = self.place.read_manifest(name).await;
            let manifest = manifest.map_err(|problem| self.failed(problem))?;
            // The file was whole when its manifest was written. Rows go only if it is now.
            let entries = self.checked(name, &manifest).await?;
            let not_taken = self.take_along(&entries).await?;
            if not_taken.damaged.is_empty() {
                self.remove(name, &manifest).await?;
            }
        }
        Ok(())
    }

    /// The rows of the next file.
    async fn read(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < self.entries && bytes < MAX_BYTES && !self.report.is_over {
            let due = self.source.next(self.entries - entries.len()).await?;
            self.report.unreadable += due.unreadable;
            self.report.is_over = due.is_last;
            bytes += due.entries.iter().map(|entry| entry.line.len()).sum::<usize>();
            // What an earlier run archived is not archived again.
            let fresh = due.entries.into_iter().filter(|entry| self.is_fresh(&entry.id));
            entries.extend(fresh);
        }
        if entries.is_empty() {
            return Ok(None);
        }
        self.tell(Step::Read);
        Ok(Some(entries))
    }

    /// Those that name a damaged blob stay: a history as a whole, because what is behind a gap
    /// cannot be read.
    async fn archive(&mut self, mut entries: Vec<Entry>) -> Result<(), Error> {
        let NotTaken { missing, damaged } = self.take_along(&entries).await?;
        entries.retain(|entry| !damaged.contains(&entry.id.key));
        self.report.unreadable += damaged.len() as u64;
        self.damaged.extend(damaged);
        if entries.is_empty() {
            return Ok(());
        }
        let name = Place::fresh_name();
        let (entries, content) = packed(entries).await.map_err(|problem| self.failed(problem))?;
        let written = self.place.write_file(&name, content.clone()).await;
        written.map_err(|problem| self.failed(problem))?;
        self.tell(Step::Written);

        let manifest = Manifest::new(Place::file_name(&name), &content, &entries);
        let manifest = manifest.without_blobs(missing);
        let read = self.checked(&name, &manifest).await?;
        if !is_same(&entries, &read) {
            return Err(self.failed(Problem::NotTheSame));
        }
        self.tell(Step::Verified);

        let sealed = self.place.write_manifest(&name, &manifest).await;
        sealed.map_err(|problem| self.failed(problem))?;
        let read = self.place.read_manifest(&name).await;
        let read = read.map_err(|problem| self.failed(problem))?;
        if !read.is_of(&content) {
            return Err(self.failed(Problem::NotTheSame));
        }
        self.report.files += 1;
        self.report.archived += entries.len() as u64;
        self.report.bytes += content.len() as u64;
        self.tell(Step::Sealed);
        self.remove(&name, &manifest).await
    }

    async fn take_along(&self, entries: &[Entry]) -> Result<NotTaken, Error> {
        blobs::take_along(self.place, self.source.backend(), entries).await
    }

    /// The entries of a file, if it is the one of this manifest.
    async fn checked(&self, name: &str, manifest: &Manifest) -> Result<Vec<Entry>, Error> {
        checked(self.place, name, manifest).await.map_err(|problem| self.failed(problem))
    }

    async fn remove(&mut self, name: &str, manifest: &Manifest) -> Result<(), Error> {
        let ids = manifest.ids().map_err(|problem| self.failed(problem))?;
        let kind = self.source.kind();
        let (ids, others): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.kind() == kind);
        let Removed { gone, changed, busy } = self.source.remove(ids).await?;
        self.report.removed += gone;
        self.report.kept += changed + busy.len() as u64;
        let are_gone = busy.is_empty() && others.is_empty();
        self.busy.extend(busy);
        self.tell(Step::Removed);
        // What somebody is at work on may be left as it was: the next run looks again.
        if are_gone {
            let done = self.place.write_done(name).await;
            done.map_err(|problem| self.failed(problem))?;
            self.tell(Step::Done);
        }
        Ok(())
    }

    fn is_fresh(&self, id: &Id) -> bool {
        !self.busy.contains(id) && !self.damaged.contains(&id.key)
    }

    fn tell(&self, step: Step) {
        (self.told)(&Progress { step, report: self.report.clone() });
    }

    fn failed(&self, problem: Problem) -> Error {
        Error::backend(None, &self.place.location(), "archive", problem)
    }
}

async fn packed(entries: Vec<Entry>) -> Result<(Vec<Entry>, Bytes), Problem> {
    let packed = spawn_blocking(move || file::pack(&entries).map(|content| (entries, content)));
    packed.await.map_err(|_| Problem::Stopped)?
}

/// The entries of a file that is read back, if it is the one of this manifest.
pub(super) async fn checked(
    place: &Place,
    name: &str,
    manifest: &Manifest,
) -> Result<Vec<Entry>, Problem> {
    let content = place.read_file(name).await?;
    let (content, manifest) = (content, manifest.clone());
    let unpacked = spawn_blocking(move || {
        if !manifest.is_of(&content) {
            return Err(Problem::Damaged("it is not the one that its manifest describes"));
        }
        let entries = file::unpack(&content)?;
        // Each can be had again.
        entries.iter().try_for_each(Entry::check)?;
        Ok(entries)
    });
    unpacked.await.map_err(|_| Problem::Stopped)?
}

fn is_same(entries: &[Entry], read: &[Entry]) -> bool {
    entries.len() == read.len()
        && entries.iter().zip(read).all(|(one, other)| one.line == other.line && one.id == other.id)
}
