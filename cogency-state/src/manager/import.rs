//! States of Cogency for Python, taken out of its folder.

mod folder;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::folder::{Outline, Source};
use super::hold::Hold;
use super::outage::Conduct;
use super::{StateManager, typed};
use crate::error::{Error, stopped};
use crate::key::{DEFAULT_SESSION, StateKey};
use crate::record::{Metadata, Record};

/// The metadata field that says which file a state was imported from.
const IMPORTED_FROM: &str = "imported_from";

/// What [`StateManager::import_original`] did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// Each file, in the order of their names.
    pub files: Vec<ImportedFile>,
}

/// A file of Cogency for Python.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImportedFile {
    /// Its name in the folder.
    pub name: String,
    /// What became of it.
    pub outcome: ImportOutcome,
}

/// What became of a file. It is left where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportOutcome {
    /// Its state is now under this key.
    Imported(StateKey),
    /// Nothing was done: it was imported under this key before.
    AlreadyThere(StateKey),
    /// Nothing was done: there is another state under this key, which is not overwritten.
    Taken(StateKey),
    /// It cannot be read, and why, without any of its contents.
    Unreadable(String),
}

impl ImportReport {
    /// How many states were imported.
    #[must_use]
    pub fn imported(&self) -> usize {
        let imported = |file: &&ImportedFile| matches!(file.outcome, ImportOutcome::Imported(_));
        self.files.iter().filter(imported).count()
    }
}

/// A line for each file.
impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files = self.files.iter();
        files.try_for_each(|ImportedFile { name, outcome }| writeln!(f, "{name}: {outcome}"))
    }
}

impl fmt::Display for ImportOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Imported(key) => write!(f, "imported as {key}"),
            Self::AlreadyThere(key) => write!(f, "skipped, it was imported before as {key}"),
            Self::Taken(key) => write!(f, "skipped, there is another state of {key}"),
            Self::Unreadable(reason) => write!(f, "not readable: {reason}"),
        }
    }
}

impl StateManager {
    /// Takes in the states of a folder of Cogency for Python, such as `.cogency/state`, as
    /// [`AgentState`](crate::AgentState)s. Nothing is overwritten and the files stay; it may be
    /// called again, also after it was interrupted, and imports each file once.
    ///
    /// There each process had states of its own, which none found again. So a user's newest state
    /// becomes that of their default session, where the next call goes on with it, and older ones
    /// become sessions named after their processes; as does the newest if the default session has
    /// a state.
    ///
    /// ```no_run
    /// use cogency_state::StateManager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let manager = StateManager::connect("file:data/agents").await?;
    /// print!("{}", manager.import_original(".cogency/state").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Backend`] if the folder cannot be read or the backend fails, [`Error::LeaseTimeout`]
    /// if somebody else held a key for too long. What was imported until then stays.
    ///
    /// # Cancellation
    /// Dropped, it stops between two files, or after the one that it is at.
    pub async fn import_original(&self, folder: impl AsRef<Path>) -> Result<ImportReport, Error> {
        if !self.is_on() {
            return Ok(ImportReport::default());
        }
        let folder = folder.as_ref().to_owned();
        let path = folder.clone();
        let outlines = blocking(&folder, move || folder::outlines(&path)).await?;
        let newest = newest(&outlines);
        let mut report = ImportReport::default();
        for (name, outline) in outlines {
            let outcome = match outline {
                Err(reason) => ImportOutcome::Unreadable(reason),
                Ok(outline) => {
                    let is_newest = newest.get(&outline.user_id) == Some(&name);
                    self.import_file(&folder, &name, &outline, is_newest).await?
                }
            };
            report.files.push(ImportedFile { name, outcome });
        }
        Ok(report)
    }

    async fn import_file(
        &self,
        folder: &Path,
        name: &str,
        outline: &Outline,
        is_newest: bool,
    ) -> Result<ImportOutcome, Error> {
        let keys = StateKey::new(&*outline.user_id, DEFAULT_SESSION).and_then(|default| {
            Ok((default, StateKey::new(&*outline.user_id, &*outline.process)?))
        });
        let (default, own) = match keys {
            Ok(keys) => keys,
            Err(error) => return Ok(ImportOutcome::Unreadable(error.to_string())),
        };
        let (in_default, in_own) = (self.look(&default, name).await?, self.look(&own, name).await?);
        let key = match (in_default, in_own) {
            (Occupancy::Imported, _) => return Ok(ImportOutcome::AlreadyThere(default)),
            (_, Occupancy::Imported) => return Ok(ImportOutcome::AlreadyThere(own)),
            (Occupancy::Free, _) if is_newest => default,
            (_, Occupancy::Free) => own,
            (_, Occupancy::Taken) => return Ok(ImportOutcome::Taken(own)),
        };
        let path = folder.join(name);
        match blocking(folder, move || Ok(folder::read(&path))).await? {
            Ok(source) => self.import_as(key, name, source).await,
            Err(reason) => Ok(ImportOutcome::Unreadable(reason)),
        }
    }

    async fn look(&self, key: &StateKey, name: &str) -> Result<Occupancy, Error> {
        match self.backend().load_state(key).await {
            Ok(None) => Ok(Occupancy::Free),
            Ok(Some(record)) if is_from(&record, name) => Ok(Occupancy::Imported),
            Ok(Some(_)) | Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }) => {
                Ok(Occupancy::Taken)
            }
            Err(error) => Err(error),
        }
    }

    async fn import_as(
        &self,
        key: StateKey,
        name: &str,
        source: Source,
    ) -> Result<ImportOutcome, Error> {
        let Source { state, mut metadata, bytes } = source;
        let mut prepared = match typed::write(self, &key, Box::new(state), None, bytes).await {
            Err(error @ Error::Encode { .. }) => {
                return Ok(ImportOutcome::Unreadable(error.to_string()));
            }
            prepared => prepared?,
        };
        prepared.write.ttl = self.ttl(None)?;
        metadata.custom.insert(IMPORTED_FROM.to_owned(), name.into());
        prepared.write.record.metadata = match metadata.saved_at {
            Some(_) => metadata,
            None => Metadata::saved_now(metadata),
        };
        let (hold, stored) =
            Hold::open(self, self.place(&key), self.inner.wait, Conduct::failing()).await?;
        // Somebody else may have been here since the look.
        if let Some(record) = stored {
            hold.release().await;
            let is_ours = is_from(&record, name);
            let there = if is_ours { ImportOutcome::AlreadyThere } else { ImportOutcome::Taken };
            return Ok(there(key));
        }
        hold.save(prepared.write).await?;
        Ok(ImportOutcome::Imported(key))
    }
}

/// What is under a key, to one who wants to import a file.
enum Occupancy {
    Free,
    /// What came from that file, whatever became of it since.
    Imported,
    Taken,
}

fn is_from(record: &Record, name: &str) -> bool {
    record.metadata.custom.get(IMPORTED_FROM).and_then(Value::as_str) == Some(name)
}

/// The name of each user's newest file.
fn newest(outlines: &[(String, Result<Outline, String>)]) -> HashMap<String, String> {
    let mut readable: Vec<_> = outlines
        .iter()
        .filter_map(|(name, outline)| Some((outline.as_ref().ok()?, name)))
        .collect();
    readable.sort_by(|(a, a_name), (b, b_name)| {
        (&a.saved_at, a.modified, a_name).cmp(&(&b.saved_at, b.modified, b_name))
    });
    let newest =
        readable.into_iter().map(|(outline, name)| (outline.user_id.clone(), name.clone()));
    newest.collect()
}

/// Works on files on a thread that may block.
async fn blocking<R: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> std::io::Result<R> + Send + 'static,
) -> Result<R, Error> {
    let failed = |source| Error::backend(None, &shown(folder), "import", source);
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
    match runtime.spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| failed(error.into())),
        Err(error) => Err(failed(stopped(error))),
    }
}

fn shown(folder: &Path) -> String {
    format!("file:{}", PathBuf::from(folder).display())
}
