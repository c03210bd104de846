//! Records in files: a journal for each key, and a readable copy of its newest record.
//!
//! ```text
//! .cogency/state/              0700
//!   alice/                     a user
//!     default/                 one of her sessions
//!       journal.jsonl          a line for each save, delete and so on, see `journal`; 0600
//!       state.json             a copy of the newest record, see the module `envelope`; the record
//!                              itself where there is no journal
//!       blobs/<sha256>         what states name, see `blobs`
//!       lock                   who holds the lease, and the newest fencing token
//!       aside-<id>.json        a record that was set aside, see `aside_files`
//!       aside-<id>.about       why, when, and whose it is; one line of JSON
//!   @processes/                states of isolated processes, each laid out as above
//! ```
//!
//! | | |
//! |---|---|
//! | `root`, `held` | folders and leases |
//! | `journal`, `temp`, `fingerprint` | files: appended to, replaced as a whole, told apart |
//! | `stored`, `known` | what is under a key: read, or remembered |
//! | `saving`, `deleting`, `aside`, `aside_files`, `expiry` | what changes it |
//! | `blobs` | what is stored beside it |
//! | `state_file`, `copying`, `refresh` | the copy: its contents, where it may be put, and when |
//! | `history`, `pruning`, `exporting` | what was under a key before |
//! | `listing` | which keys there are |
//!
//! Four locks are taken in this order, each only for what it is there for: the lease (`lock`), this
//! process's view of it ([`Held`]), the journal's own (whoever changes it, also without a lease),
//! and the folder's (whoever replaces the copy).

mod aside;
mod aside_files;
mod blobs;
mod copying;
mod deleting;
mod expiry;
mod exporting;
mod fingerprint;
mod held;
mod history;
mod journal;
mod known;
mod listing;
mod pruning;
mod refresh;
mod root;
mod saving;
mod state_file;
mod stored;
mod temp;

#[cfg(all(target_os = "linux", any(test, fuzzing)))]
pub(crate) use self::journal::fuzz;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;

use self::held::Held;
use self::root::Root;
use super::blobs::checked;
use super::{
    BlobBackend, Capabilities, Durability, HistoryBackend, KeyPage, Lease, LeaseAttempt, Opened,
    Sharing, StateBackend, Write,
};
use crate::aside::{Aside, AsideId};
use crate::blob::BlobId;
use crate::disk::names;
use crate::error::{Error, stopped};
use crate::history::Retention;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, WriteId};

/// Above the states of isolated processes. No user's folder has this name: `@` is escaped.
const PROCESSES: &str = "@processes";

/// Keeps each record in files, for all processes on one machine.
///
/// A save appends what changed to a journal, which is the history of the state too; `state.json`
/// beside it is a copy for readers, current within a second of the last save and when the program
/// ends in good order. A save is atomic and survives a power cut. A lease is a lock of the operating
/// system's: it is free the moment that its holder dies. Files are readable by their owner only.
///
/// A state that expires says in its file when, by the clock of the host, and its files are removed
/// by the call that finds it so, or by [`remove_expired`](Self::remove_expired). A clock that is
/// set forward makes states expire early, and what such a call or removal has met is gone; one
/// that is set back keeps them for longer.
///
/// Each open call holds one file descriptor, and its work runs on the threads of tokio's blocking
/// pool: a process with thousands of calls at once needs a limit above that (`ulimit -n`).
///
/// ```
/// use cogency_state::{FileBackend, StateManager};
///
/// let manager = StateManager::new(FileBackend::new("data/agents"));
/// ```
#[derive(Clone, Debug)]
pub struct FileBackend {
    root: Arc<Root>,
}

impl FileBackend {
    /// Keeps records below this folder, which is made with the first of them.
    ///
    /// A relative path counts from the current directory of this moment, and links in it are
    /// followed now.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self { root: Arc::new(Root::new(folder.as_ref())) }
    }

    /// With states of this process's own, that no other process sees.
    ///
    /// They are not found again after a restart: for that, give an id with
    /// [`isolated_as`](Self::isolated_as).
    #[must_use]
    pub fn isolated(self) -> Self {
        static PROCESS: OnceLock<String> = OnceLock::new();
        self.isolated_as(PROCESS.get_or_init(|| WriteId::generate().to_string()))
    }

    /// With states that only processes with this id see.
    ///
    /// ```
    /// use cogency_state::FileBackend;
    ///
    /// let backend = FileBackend::new("data/agents").isolated_as("worker-1");
    /// ```
    #[must_use]
    pub fn isolated_as(self, process_id: &str) -> Self {
        // No id has this name: an escape has two digits.
        let name = if process_id.is_empty() { "%" } else { &names::folder_name(process_id) };
        Self { root: Arc::new(self.root.below([PROCESSES.to_owned(), name.to_owned()])) }
    }

    /// With so much of each history: by default at least the last 100 versions.
    ///
    /// What need not stay goes with a save now and then, when it takes at least half as much room as
    /// what stays; with it [`Retention::Versions(1)`](Retention::Versions) keeps least.
    ///
    /// ```
    /// use cogency_state::{FileBackend, Retention};
    ///
    /// let backend = FileBackend::new("data/agents").with_history(Retention::Versions(1000));
    /// ```
    #[must_use]
    pub fn with_history(self, retention: Retention) -> Self {
        Self { root: Arc::new(self.root.keeping(retention)) }
    }

    /// Removes the states that have expired, for all users, so that nothing of them stays on the
    /// disk: a state that nobody asks for any more is not met by a call. Gives how many there
    /// were.
    ///
    /// To be called now and then, by one process. A state that somebody is at work on stays, as
    /// does what cannot be read; states of isolated processes are not looked at by others.
    ///
    /// ```
    /// use cogency_state::FileBackend;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// println!("{} states had expired", FileBackend::new("data/agents").remove_expired().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Backend`] if a user's folder cannot be looked at or a file cannot be removed; the
    /// other users' states are removed all the same.
    ///
    /// # Cancellation
    /// It runs to its end although the caller may stop waiting.
    pub async fn remove_expired(&self) -> Result<usize, Error> {
        self.blocking(None, Root::remove_expired).await
    }

    /// Brings `state.json`, the copy of a key's record for readers, up to date at once, for who
    /// cannot wait the second that it takes by itself.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::SchemaVersion`] if the journal cannot be read, and
    /// [`Error::Backend`] if the copy cannot be written.
    ///
    /// # Cancellation
    /// It runs to its end although the caller may stop waiting.
    pub async fn write_copy(&self, key: &StateKey) -> Result<(), Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.copy_now(&own_key)).await
    }

    /// Runs file work on a thread that may block. It runs to its end although the caller may
    /// stop waiting.
    async fn blocking<R: Send + 'static>(
        &self,
        key: Option<&StateKey>,
        work: impl FnOnce(&Arc<Root>) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let root = Arc::clone(&self.root);
        let done = runtime.spawn_blocking(move || work(&root)).await;
        done.unwrap_or_else(|error| {
            Err(Error::backend(key, &self.root.location, "finish its work on", stopped(error)))
        })
    }

    /// The lock that a lease stands for, which must be one of this backend's.
    fn held(&self, lease: &Lease) -> Result<Arc<Held>, Error> {
        let lost = || Error::lease_lost(lease.key(), &self.root.location, lease.token());
        lease.guard::<Held>().ok_or_else(lost)
    }
}

fn lease(key: StateKey, held: Held) -> Lease {
    let token = held.token();
    Lease::new(key, token).with_guard(Arc::new(held))
}

#[async_trait]
impl StateBackend for FileBackend {
    fn location(&self) -> &str {
        &self.root.location
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
            .with_durability(Durability::PowerCut)
            .with_sharing(Sharing::Host)
            .with_saves_that_survive_drop()
            .with_expiry()
            .with_list_of_all()
            .with_aside()
            .with_history()
            .with_blobs()
    }

    fn history(&self) -> Option<&dyn HistoryBackend> {
        Some(self)
    }

    fn blobs(&self) -> Option<&dyn BlobBackend> {
        Some(self)
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        let (own_key, holder) = (key.clone(), holder.clone());
        self.blocking(Some(key), move |root| {
            Ok(match root.acquire(&own_key, &holder)? {
                Ok(held) => LeaseAttempt::Acquired(lease(own_key, held)),
                Err(holder) => LeaseAttempt::Held(holder),
            })
        })
        .await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        let (held, token) = (self.held(lease)?, lease.token());
        self.blocking(Some(lease.key()), move |root| root.check(&held, token)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        let Ok(held) = self.held(lease) else { return Ok(()) };
        self.blocking(Some(lease.key()), move |_| {
            held.release();
            Ok(())
        })
        .await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.load(&own_key)).await
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let (held, token, write) = (self.held(lease)?, lease.token(), write.clone());
        self.blocking(Some(lease.key()), move |root| root.save(&held, token, &write)).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        let (held, token) = (self.held(lease)?, lease.token());
        self.blocking(Some(lease.key()), move |root| root.delete(&held, token)).await
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let user_id = user_id.to_owned();
        self.blocking(None, move |root| root.list(&user_id)).await
    }

    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let after = after.map(str::to_owned);
        self.blocking(None, move |root| root.list_all(after.as_deref(), limit)).await
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let (held, token, aside) = (self.held(lease)?, lease.token(), aside.clone());
        self.blocking(Some(lease.key()), move |root| root.set_aside(&held, token, &aside)).await
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let user_id = user_id.map(str::to_owned);
        self.blocking(None, move |root| root.list_aside(user_id.as_deref())).await
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.load_aside(&own_key, id)).await
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let (held, token) = (self.held(lease)?, lease.token());
        self.blocking(Some(lease.key()), move |root| root.restore_aside(&held, token, id)).await
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.drop_aside(&own_key, id)).await
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        let (own_key, holder) = (key.clone(), holder.clone());
        self.blocking(Some(key), move |root| {
            Ok(match root.acquire_and_load(&own_key, &holder)? {
                Ok((held, record)) => Opened::Acquired { lease: lease(own_key, held), record },
                Err(holder) => Opened::Held(holder),
            })
        })
        .await
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let (held, token, write) = (self.held(lease)?, lease.token(), write.clone());
        self.blocking(Some(lease.key()), move |root| root.save_and_release(&held, token, &write))
            .await
    }
}

#[async_trait]
impl BlobBackend for FileBackend {
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error> {
        let (held, token, bytes) = (self.held(lease)?, lease.token(), bytes.clone());
        self.blocking(Some(lease.key()), move |root| root.save_blob(&held, token, id, &bytes)).await
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let own_key = key.clone();
        let loaded = self.blocking(Some(key), move |root| root.load_blob(&own_key, id)).await?;
        let Some(bytes) = loaded else { return Ok(None) };
        checked(key, &self.root.location, id, bytes).await.map(Some)
    }

    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.list_blobs(&own_key)).await
    }

    async fn check_readable(&self, key: &StateKey) -> Result<(), Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.check_readable(&own_key)).await
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        let (held, token, ids) = (self.held(lease)?, lease.token(), ids.to_vec());
        self.blocking(Some(lease.key()), move |root| root.remove_blobs(&held, token, &ids)).await
    }
}
