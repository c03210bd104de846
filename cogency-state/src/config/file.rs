//! `persist = "file"` and the URLs of files.

use std::path::PathBuf;

use super::LEGAL;
use crate::backend::FileBackend;
use crate::error::Error;
use crate::manager::StateManager;

/// The folder of `persist = "file"`, unless the environment names another.
const DEFAULT_STATE_DIR: &str = ".cogency/state";
/// The environment variable that names another.
const STATE_DIR_VARIABLE: &str = "COGENCY_STATE_DIR";

/// Over the folder that the environment names.
pub(super) fn of_environment() -> StateManager {
    StateManager::new(FileBackend::new(state_dir()))
}

fn state_dir() -> PathBuf {
    std::env::var_os(STATE_DIR_VARIABLE)
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| DEFAULT_STATE_DIR.into(), PathBuf::from)
}

/// Over the folder that stands behind `file:`.
pub(super) fn of_url(rest: &str) -> Result<StateManager, Error> {
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
