//! `persist = "redis"` and the URLs of Redis.

use crate::backend::RedisBackend;
use crate::error::Error;
use crate::manager::StateManager;

use super::environment;

/// The server of `persist = "redis"`, unless the environment names another.
const DEFAULT_REDIS_URL: &str = "redis://127.0.0.1:6379";
/// The environment variable that names another.
const REDIS_URL_VARIABLE: &str = "COGENCY_REDIS_URL";

pub(super) fn is_url(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| RedisBackend::SCHEMES.contains(&scheme))
}

/// Over the server that the environment names.
pub(super) fn of_environment() -> Result<StateManager, Error> {
    let url = environment::url(REDIS_URL_VARIABLE)?;
    let backend = RedisBackend::new(url.as_deref().unwrap_or(DEFAULT_REDIS_URL));
    Ok(StateManager::new(
        backend.map_err(|error| environment::unusable(REDIS_URL_VARIABLE, error))?,
    ))
}
