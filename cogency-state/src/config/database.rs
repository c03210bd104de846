//! `persist = "database"`, `"sqlite"`, `"postgres"`, `"mysql"` and the URLs of databases.

use super::environment::{self, unusable};
use crate::backend::DatabaseBackend;
use crate::error::Error;
use crate::manager::StateManager;

/// The file of `persist = "sqlite"`, unless the environment names a database.
#[cfg(feature = "sqlite")]
const DEFAULT_SQLITE_URL: &str = "sqlite:.cogency/state.db";
/// The environment variable that names a database.
const DATABASE_URL_VARIABLE: &str = "COGENCY_DATABASE_URL";

pub(super) fn is_url(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| DatabaseBackend::SCHEMES.contains(&scheme))
}

/// Over the database that the environment names, which is to be of the kind that was asked for.
pub(super) fn of_environment(kind: &str) -> Result<StateManager, Error> {
    let url = match environment::url(DATABASE_URL_VARIABLE)? {
        Some(url) => url,
        #[cfg(feature = "sqlite")]
        None if kind == "sqlite" => DEFAULT_SQLITE_URL.to_owned(),
        None => return Err(unset(kind)),
    };
    if kind != "database" && kind != kind_of(&url) {
        let reason = format!("it names another kind of database than {kind:?}");
        return Err(unusable(DATABASE_URL_VARIABLE, reason));
    }
    let backend = DatabaseBackend::new(&url);
    Ok(StateManager::new(backend.map_err(|error| unusable(DATABASE_URL_VARIABLE, error))?))
}

fn unset(kind: &str) -> Error {
    unusable(DATABASE_URL_VARIABLE, format!("set it to the URL of the {kind:?}"))
}

/// What a database of this URL is called where no URL is given.
fn kind_of(url: &str) -> &str {
    match url.split(':').next().unwrap_or_default() {
        "postgresql" => "postgres",
        "mariadb" => "mysql",
        scheme => scheme,
    }
}
