//! Where the tests keep their states: the list of backends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cogency_state::{
    DatabaseBackend, DatabaseBackendBuilder, FileBackend, Holder, Lease, LeaseAttempt,
    MemoryBackend, Metadata, Record, RedisBackend, Revision, StateBackend, StateKey, StateManager,
    StateManagerBuilder, Write,
};
use cogency_state_tests::database::{SqliteFile, shared_mariadb, shared_postgres, whole_up_to};
use cogency_state_tests::redis::{RedisServer, fresh_prefix, shared, shared_cluster};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// A place of one test's own, that several managers can be opened over.
pub(crate) struct Place {
    backend: Box<dyn Fn() -> Arc<dyn StateBackend> + Send + Sync>,
    kept: Kept,
}

/// Where what is stored can be looked at.
enum Kept {
    Nowhere,
    /// In tables.
    Database,
    /// In journals, with copies beside them.
    Folder(TempDir),
    /// In journals, which are looked at themselves.
    Journals(TempDir),
    /// Below a prefix on the server that has a key.
    Redis(String, fn(&str) -> &'static RedisServer),
}

impl Place {
    pub(crate) fn memory() -> Self {
        let backend = MemoryBackend::new();
        Self { backend: Box::new(move || Arc::new(backend.clone())), kept: Kept::Nowhere }
    }

    pub(crate) fn file() -> Self {
        Self::file_as(Kept::Folder)
    }

    fn file_as(kept: impl FnOnce(TempDir) -> Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let backend = Box::new(move || Arc::new(FileBackend::new(&path)) as Arc<dyn StateBackend>);
        Self { backend, kept: kept(folder) }
    }

    /// On a server of this process's own.
    pub(crate) fn redis() -> Self {
        Self::redis_with_leases(Duration::from_secs(5))
    }

    /// On a cluster of this process's own.
    pub(crate) fn redis_cluster() -> Self {
        let server = |name: &str| shared_cluster().master_of(name);
        Self::redis_at(shared_cluster().url(), server, Duration::from_secs(5))
    }

    fn redis_with_leases(ttl: Duration) -> Self {
        Self::redis_at(shared().url(), |_| shared(), ttl)
    }

    fn redis_at(url: String, server: fn(&str) -> &'static RedisServer, ttl: Duration) -> Self {
        let prefix = fresh_prefix();
        let kept = Kept::Redis(prefix.clone(), server);
        let backend = move || {
            let builder = RedisBackend::builder(&url).prefix(&*prefix).lease_ttl(ttl);
            Arc::new(builder.build().unwrap()) as Arc<dyn StateBackend>
        };
        Self { backend: Box::new(backend), kept }
    }

    /// In a file of the test's own.
    pub(crate) fn sqlite() -> Self {
        Self::sqlite_with_leases(Duration::from_secs(5))
    }

    fn sqlite_with_leases(ttl: Duration) -> Self {
        let file = SqliteFile::default();
        Self::database(move || DatabaseBackend::builder(&file.url()), "", ttl)
    }

    /// On a server of this process's own.
    pub(crate) fn postgres() -> Self {
        Self::postgres_with_leases(Duration::from_secs(5))
    }

    fn postgres_with_leases(ttl: Duration) -> Self {
        let url = shared_postgres().url();
        Self::database(move || DatabaseBackend::builder(&url), &fresh_prefix(), ttl)
    }

    /// On a server of this process's own.
    pub(crate) fn mariadb() -> Self {
        Self::mariadb_with_leases(Duration::from_secs(5))
    }

    fn mariadb_with_leases(ttl: Duration) -> Self {
        let url = shared_mariadb().url();
        Self::database(move || DatabaseBackend::builder(&url), &fresh_prefix(), ttl)
    }

    fn database(
        way: impl Fn() -> DatabaseBackendBuilder + Send + Sync + 'static,
        prefix: &str,
        ttl: Duration,
    ) -> Self {
        let prefix = prefix.replace('-', "_") + "_";
        let backend = move || {
            let mut builder = way().prefix(&*prefix).lease_ttl(ttl).pool_size(3);
            if let Some(bytes) = whole_up_to() {
                builder = builder.whole_up_to(bytes);
            }
            Arc::new(builder.build().unwrap()) as Arc<dyn StateBackend>
        };
        Self { backend: Box::new(backend), kept: Kept::Database }
    }

    /// Everywhere where leases run out.
    pub(crate) fn with_leases(ttl: Duration) -> [Self; 5] {
        let backend = MemoryBackend::new().with_lease_ttl(ttl);
        let memory = Box::new(move || Arc::new(backend.clone()) as Arc<dyn StateBackend>);
        [
            Self { backend: memory, kept: Kept::Nowhere },
            Self::redis_with_leases(ttl),
            Self::sqlite_with_leases(ttl),
            Self::postgres_with_leases(ttl),
            Self::mariadb_with_leases(ttl),
        ]
    }

    /// Everywhere where a record is a document that others can read and write.
    pub(crate) fn with_documents() -> [Self; 3] {
        [Self::file(), Self::redis(), Self::redis_cluster()]
    }

    /// What all its files hold, if it keeps files that a person can read.
    pub(crate) fn files(&self) -> Vec<String> {
        match &self.kept {
            Kept::Folder(folder) | Kept::Journals(folder) => texts_below(folder.path()),
            _ => Vec::new(),
        }
    }

    /// Everywhere where a careless hand can get at what is stored: where a record is a document,
    /// and the journals of files.
    pub(crate) fn with_texts() -> Vec<Self> {
        let mut places = Vec::from(Self::with_documents());
        places.push(Self::file_as(Kept::Journals));
        places
    }

    /// The document of a user's default session; of journals, the journal.
    pub(crate) fn document(&self, user_id: &str) -> String {
        match &self.kept {
            Kept::Nowhere | Kept::Database => panic!("it keeps no documents"),
            Kept::Folder(folder) => {
                let path = folder.path().join("state");
                on_a_thread(async move {
                    FileBackend::new(path).write_copy(&key(user_id)).await.unwrap();
                });
                fs::read_to_string(file_of(folder, user_id, "state.json")).unwrap()
            }
            Kept::Journals(folder) => {
                fs::read_to_string(file_of(folder, user_id, "journal.jsonl")).unwrap()
            }
            Kept::Redis(prefix, server) => {
                let name = redis_key(prefix, user_id);
                server(&name).run(&["GET", &name])
            }
        }
    }

    /// Puts a document there, as another program or a careless hand would. In files it is the
    /// record only where there is no journal.
    pub(crate) fn put_document(&self, user_id: &str, document: &str) {
        match &self.kept {
            Kept::Nowhere | Kept::Database => panic!("it keeps no documents"),
            Kept::Folder(folder) => {
                fs::write(file_of(folder, user_id, "state.json"), document).unwrap();
                let _ = fs::remove_file(file_of(folder, user_id, "journal.jsonl"));
            }
            Kept::Journals(folder) => {
                fs::write(file_of(folder, user_id, "journal.jsonl"), document).unwrap();
            }
            Kept::Redis(prefix, server) => {
                let name = redis_key(prefix, user_id);
                server(&name).run::<()>(&["SET", &name, document]);
            }
        }
    }

    /// Another manager over the same records, as another part of the program would have.
    pub(crate) fn manager(&self) -> StateManager {
        self.builder().build()
    }

    pub(crate) fn builder(&self) -> StateManagerBuilder {
        StateManagerBuilder::over((self.backend)())
    }
}

fn file_of(folder: &TempDir, user_id: &str, name: &str) -> PathBuf {
    folder.path().join("state").join(user_id).join("default").join(name)
}

/// Waits for something with a runtime of its own.
fn on_a_thread(work: impl Future<Output = ()> + Send) {
    let wait = || Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    thread::scope(|scope| scope.spawn(wait).join()).unwrap();
}

fn redis_key(prefix: &str, user_id: &str) -> String {
    format!("{prefix}:state:{user_id}:default")
}

pub(crate) fn key(user_id: &str) -> StateKey {
    StateKey::for_user(user_id).unwrap()
}

/// Takes a key as soon as its lease has run out, as another process would. Until then this thread
/// stands still, and with it a runtime that has no other.
pub(crate) fn take_over(place: &Place, key: &StateKey) -> Lease {
    let taking = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let manager = place.manager();
            loop {
                let attempt = manager.backend().acquire_lease(key, &Holder::current()).await;
                if let LeaseAttempt::Acquired(lease) = attempt.unwrap() {
                    return lease;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    };
    thread::scope(|scope| scope.spawn(taking).join()).unwrap()
}

/// Stores a state that no type of ours wrote.
pub(crate) async fn store(manager: &StateManager, user_id: &str, json: String) {
    let (backend, key) = (manager.backend(), key(user_id));
    let lease = match backend.acquire_lease(&key, &Holder::current()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => lease,
        other => panic!("{other:?}"),
    };
    let record = Record::new(key, Revision::after(None), None, Metadata::now(), json.into());
    backend.save_and_release(&lease, &Write::new(record, None)).await.unwrap();
}

/// Runs each test on each backend, on a runtime with two threads.
macro_rules! on_every_backend {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $( $(#[$meta])* async fn $name($place: crate::places::Place) $body )*

        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::memory()).await }
            )*
        }

        mod file {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::file()).await }
            )*
        }

        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::redis()).await }
            )*
        }

        mod redis_cluster {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::redis_cluster()).await }
            )*
        }

        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::sqlite()).await }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::postgres()).await }
            )*
        }

        mod mariadb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::mariadb()).await }
            )*
        }
    };
}
pub(crate) use on_every_backend;

fn texts_below(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    paths
        .flat_map(|path| if path.is_dir() { texts_below(&path) } else { vec![text(path)] })
        .collect()
}
