//! From a name or a URL to a manager: the only place that names the backends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
#[cfg(feature = "redis")]
use std::ffi::OsString;
#[cfg(feature = "redis")]
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};

#[cfg(feature = "redis")]
use crate::backend::RedisBackend;
use crate::backend::{FileBackend, MemoryBackend};
use crate::error::Error;
use crate::manager::StateManager;

/// The folder of `persist = "file"`, unless the environment names another.
const DEFAULT_STATE_DIR: &str = ".cogency/state";
/// The environment variable that names another.
const STATE_DIR_VARIABLE: &str = "COGENCY_STATE_DIR";

/// The server of `persist = "redis"`, unless the environment names another.
#[cfg(feature = "redis")]
const DEFAULT_REDIS_URL: &str = "redis://127.0.0.1:6379";
/// The environment variable that names another.
#[cfg(feature = "redis")]
const REDIS_URL_VARIABLE: &str = "COGENCY_REDIS_URL";

/// What a URL can begin with, for messages.
#[cfg(feature = "redis")]
const LEGAL: &str = "`memory:`, `file:<folder>`, `file:<folder>?process=<id>` or `redis://<host>`";
#[cfg(not(feature = "redis"))]
const LEGAL: &str = "`memory:`, `file:<folder>` or `file:<folder>?process=<id>`";

impl StateManager {
    /// A manager over the backend that a URL names, with the defaults.
    ///
    /// | URL | backend |
    /// |---|---|
    /// | `memory:` | a new [`MemoryBackend`] |
    /// | `file:data/agents`, `file:/srv/agents`, `file:///srv/agents` | a [`FileBackend`] |
    /// | `file:data/agents?process=worker-1` | the same, [isolated](FileBackend::isolated_as) |
    /// | `redis://host/0`, `rediss://host/0`, `redis+unix:///run/redis.sock` | a `RedisBackend` (cargo feature `redis`) |
    /// | `redis+sentinel://host,host/mymaster/0`, `redis+cluster://host,host` | the same, on servers that replace each other |
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
    #[cfg_attr(not(feature = "redis"), expect(clippy::unused_async))]
    pub async fn connect(name_or_url: &str) -> Result<Self, Error> {
        #[cfg(feature = "redis")]
        if is_redis(name_or_url) {
            return Ok(Self::new(RedisBackend::connect(name_or_url).await?));
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
        "file" => Ok(StateManager::new(FileBackend::new(state_dir()))),
        #[cfg(feature = "redis")]
        "redis" => redis_of_environment(),
        url => from_url(url),
    }
}

fn state_dir() -> PathBuf {
    std::env::var_os(STATE_DIR_VARIABLE)
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| DEFAULT_STATE_DIR.into(), PathBuf::from)
}

fn from_url(url: &str) -> Result<StateManager, Error> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(Error::Config {
            reason: format!("{url:?} is not the URL of a backend: give {LEGAL}"),
        });
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(StateManager::new(MemoryBackend::new())),
        "file" => file(rest),
        #[cfg(feature = "redis")]
        _ if is_redis(url) => Ok(StateManager::new(RedisBackend::new(url)?)),
        // Not the rest: it may hold a password.
        _ => Err(Error::Config {
            reason: format!("no backend is called {scheme:?} in this version: give {LEGAL}"),
        }),
    }
}

fn file(rest: &str) -> Result<StateManager, Error> {
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, q)| (path, Some(q)));
    let folder = path.strip_prefix("//").unwrap_or(path);
    if folder.is_empty() {
        return Err(Error::Config { reason: format!("the URL names no folder: give {LEGAL}") });
    }
    if folder != path && !folder.starts_with('/') {
        return Err(Error::Config { reason: format!("a file URL has no host: give {LEGAL}") });
    }
    let backend = FileBackend::new(folder);
    let backend = match query.map(|query| query.split_once('=')) {
        None => backend,
        Some(Some(("process", id))) if !id.is_empty() => backend.isolated_as(id),
        Some(_) => {
            return Err(Error::Config {
                reason: format!("a file URL has no such parameter: give {LEGAL}"),
            });
        }
    };
    Ok(StateManager::new(backend))
}

#[cfg(feature = "redis")]
fn is_redis(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| RedisBackend::SCHEMES.contains(&scheme))
}

#[cfg(feature = "redis")]
fn redis_of_environment() -> Result<StateManager, Error> {
    let url = redis_url(std::env::var_os(REDIS_URL_VARIABLE))?;
    let backend = RedisBackend::new(&url).map_err(of_redis_variable)?;
    Ok(StateManager::new(backend))
}

/// What the environment variable says, or the default.
#[cfg(feature = "redis")]
fn redis_url(variable: Option<OsString>) -> Result<String, Error> {
    let Some(url) = variable.filter(|url| !url.is_empty()) else {
        return Ok(DEFAULT_REDIS_URL.to_owned());
    };
    // Another server than the one that was meant would be worse than none.
    url.into_string().map_err(|_| of_redis_variable("it is not Unicode"))
}

#[cfg(feature = "redis")]
fn of_redis_variable(problem: impl Display) -> Error {
    Error::Config { reason: format!("the environment variable {REDIS_URL_VARIABLE}: {problem}") }
}

#[cfg(all(test, unix, feature = "redis"))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn only_where_the_environment_names_no_server_the_default_one_is_taken() {
        assert_eq!(redis_url(None).unwrap(), DEFAULT_REDIS_URL);
        assert_eq!(redis_url(Some(OsString::new())).unwrap(), DEFAULT_REDIS_URL);
        assert_eq!(redis_url(Some("redis://host".into())).unwrap(), "redis://host");
        let error = redis_url(Some(OsString::from_vec(b"redis://:secret\xff@host".into())));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(REDIS_URL_VARIABLE) && !error.contains("secret"), "{error}");
    }
}
