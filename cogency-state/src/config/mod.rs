//! From a name or a URL to a manager: the only place that names the backends.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod database;
#[cfg(any(feature = "redis", feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod environment;
mod file;
#[cfg(feature = "redis")]
mod redis;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
use crate::backend::DatabaseBackend;
use crate::backend::MemoryBackend;
#[cfg(feature = "redis")]
use crate::backend::RedisBackend;
use crate::error::Error;
use crate::manager::StateManager;

/// What stands for a backend without a URL, for messages.
const NAMES: &str = "`memory`, `file`, `redis`, `database`, `sqlite`, `postgres`, `mysql`";

/// What a URL can begin with, for messages.
const LEGAL: &str = "`memory:`, `file:<folder>` or `file:<folder>?process=<id>`; with the cargo \
                     features of cogency-state for them, `redis://<host>`, `sqlite:<path>`, \
                     `postgres://<host>/<database>` or `mysql://<host>/<database>`";

impl StateManager {
    /// A manager over the backend that a URL names, with the defaults.
    ///
    /// | URL | backend |
    /// |---|---|
    /// | `memory:` | a new [`MemoryBackend`] |
    /// | `file:data/agents`, `file:/srv/agents`, `file:///srv/agents` | a [`FileBackend`](crate::FileBackend) |
    /// | `file:data/agents?process=worker-1` | the same, [isolated](crate::FileBackend::isolated_as) |
    /// | `redis://host/0`, `rediss://host/0`, `redis+unix:///run/redis.sock` | a `RedisBackend` (cargo feature `redis`) |
    /// | `redis+sentinel://host,host/mymaster/0`, `redis+cluster://host,host` | the same, on servers that replace each other |
    /// | `sqlite:data/agents.db`, `postgres://host/agents`, `mysql://host/agents` | a `DatabaseBackend` (cargo features `sqlite`, `postgres`, `mysql`) |
    ///
    /// A server is connected to at once. The path of a file is taken as it stands, without
    /// percent-encoding. A name, such as `file`, gives a manager over what `persist = "<name>"`
    /// stands for unless another one is [installed](Self::install).
    ///
    /// ```
    /// use cogency_state::StateManager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let manager = StateManager::connect("file:data/agents").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if that names no backend, [`Error::Backend`] if it is a server that cannot
    /// be used.
    // Files and memory have nothing to wait for.
    #[allow(clippy::unused_async, reason = "so it is without a cargo feature for servers")]
    pub async fn connect(name_or_url: &str) -> Result<Self, Error> {
        #[cfg(feature = "redis")]
        if redis::is_url(name_or_url) {
            return Ok(Self::new(RedisBackend::connect(name_or_url).await?));
        }
        #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
        if database::is_url(name_or_url) {
            return Ok(Self::new(DatabaseBackend::connect(name_or_url).await?));
        }
        from_name_or_url(name_or_url)
    }

    /// Makes this manager the one that `persist = "<name or URL>"` stands for on this runtime, for
    /// example `"file"`: at the start of a program, or of a test that needs one of its own.
    ///
    /// ```
    /// use cogency_state::{FileBackend, StateManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// StateManager::new(FileBackend::new("/srv/agents")).install("file")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if that is neither the name nor the URL of a backend, or if it is in use
    /// on this runtime: one half of the program would save where the other does not look.
    /// [`Error::NoRuntime`] outside of one.
    pub fn install(self, name_or_url: &str) -> Result<(), Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        // Nothing would ever ask for a misspelled one.
        from_name_or_url(name_or_url)?;
        of_runtime(&runtime, |managers| match managers.entry(name_or_url.into()) {
            Entry::Vacant(entry) => {
                entry.insert(self);
                Ok(())
            }
            // Without the URL: it may hold a password.
            Entry::Occupied(_) => Err(Error::Config {
                reason: "that name or URL is in use on this runtime already: install another \
                         manager before the first call"
                    .to_owned(),
            }),
        })
    }

    /// Ends what [`install`](Self::install) or the first use of a name or URL began: the next use on
    /// this runtime makes another manager, or finds the one that is installed until then. `false`
    /// if there was none. Whoever has the manager, or is in a call of it, goes on with it.
    ///
    /// What the manager keeps in memory goes with it.
    ///
    /// # Errors
    /// [`Error::NoRuntime`] outside of a runtime.
    pub fn uninstall(name_or_url: &str) -> Result<bool, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        Ok(of_runtime(&runtime, |managers| managers.remove(name_or_url)).is_some())
    }

    /// The manager that `persist = "<name or URL>"` stands for on this runtime: to look at what
    /// `#[robust]` functions keep, to list it or to delete it.
    ///
    /// ```
    /// use cogency_state::{StateKey, StateManager, robust};
    ///
    /// #[robust(persist = "memory")]
    /// async fn count(state: &mut u32, user_id: &str) -> Result<(), cogency_state::Error> {
    ///     *state += 1;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// count("alice").await?;
    /// let manager = StateManager::shared("memory")?;
    /// let loaded = manager.load_state::<u32>(&StateKey::for_user("alice")?).await?;
    /// assert_eq!(loaded.map(|loaded| loaded.state), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if that is neither the name nor the URL of a backend,
    /// [`Error::NoRuntime`] outside of a runtime.
    pub fn shared(name_or_url: &str) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        of_runtime(&runtime, |managers| {
            if let Some(manager) = managers.get(name_or_url) {
                return Ok(manager.clone());
            }
            let manager = from_name_or_url(name_or_url)?;
            managers.insert(name_or_url.into(), manager.clone());
            Ok(manager)
        })
    }
}

/// By name or URL, the managers that are shared by all calls of one runtime. Not beyond it: the
/// connections of a server backend belong to the runtime that made them.
type Managers = HashMap<Box<str>, StateManager>;

static MANAGERS: LazyLock<Mutex<HashMap<Id, Managers>>> = LazyLock::new(Mutex::default);

/// No code that can panic runs under the lock, so a poisoned one is whole.
fn managers() -> MutexGuard<'static, HashMap<Id, Managers>> {
    MANAGERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with a runtime's managers.
fn of_runtime<R>(runtime: &Handle, act: impl FnOnce(&mut Managers) -> R) -> R {
    let mut managers = managers();
    let is_new = !managers.contains_key(&runtime.id());
    let result = act(managers.entry(runtime.id()).or_default());
    drop(managers);
    if is_new {
        forget_with(runtime);
    }
    result
}

/// Forgets a runtime's managers when it ends, as it drops its tasks then. One that is ending drops
/// this task at once, so the managers must not be locked here.
fn forget_with(runtime: &Handle) {
    struct Forget(Id);
    impl Drop for Forget {
        fn drop(&mut self) {
            let forgotten = managers().remove(&self.0);
            // Destructors run without the lock.
            drop(forgotten);
        }
    }
    let forget = Forget(runtime.id());
    runtime.spawn(async move {
        std::future::pending::<()>().await;
        drop(forget);
    });
}

fn from_name_or_url(name_or_url: &str) -> Result<StateManager, Error> {
    match name_or_url {
        "memory" => from_url("memory:"),
        "file" => Ok(file::of_environment()),
        #[cfg(feature = "redis")]
        "redis" => redis::of_environment(),
        #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
        "database" | "sqlite" | "postgres" | "mysql" => database::of_environment(name_or_url),
        url => from_url(url),
    }
}

fn from_url(url: &str) -> Result<StateManager, Error> {
    let Some((scheme, rest)) = url.split_once(':') else { return Err(no_backend(url)) };
    match scheme {
        "memory" if rest.is_empty() => Ok(StateManager::new(MemoryBackend::new())),
        "memory" => {
            let reason = format!("nothing can stand behind `memory:`: give {LEGAL}");
            Err(Error::Config { reason })
        }
        "file" => file::of_url(rest),
        #[cfg(feature = "redis")]
        _ if redis::is_url(url) => Ok(StateManager::new(RedisBackend::new(url)?)),
        #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
        _ if database::is_url(url) => Ok(StateManager::new(DatabaseBackend::new(url)?)),
        // Not the rest: it may hold a password.
        _ => Err(no_backend(scheme)),
    }
}

/// That this build knows nothing by this name or scheme.
fn no_backend(name: &str) -> Error {
    let reason = match missing_feature(name) {
        Some(feature) => format!("{name:?} needs the cargo feature {feature} of cogency-state"),
        None => format!("no backend is called {name:?}: give one of {NAMES}, or {LEGAL}"),
    };
    Error::Config { reason }
}

/// The cargo feature that is off and that a name or scheme needs.
fn missing_feature(name: &str) -> Option<&'static str> {
    match name.split('+').next()? {
        "redis" | "rediss" if !cfg!(feature = "redis") => Some("`redis`"),
        "sqlite" if !cfg!(feature = "sqlite") => Some("`sqlite`"),
        "postgres" | "postgresql" if !cfg!(feature = "postgres") => Some("`postgres`"),
        "mysql" | "mariadb" if !cfg!(feature = "mysql") => Some("`mysql`"),
        "database" if !cfg!(any(feature = "sqlite", feature = "postgres", feature = "mysql")) => {
            Some("`sqlite`, `postgres` or `mysql`")
        }
        _ => None,
    }
}
