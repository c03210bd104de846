//! From a URL to a database, and what is kept where in it.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::str::FromStr;
use std::time::Duration;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use sqlx::ConnectOptions as _;

use super::migrations::Migrate;
use super::place::Place;
use super::pools::Source;
use crate::backend::keeps::{self, Keeps, LEGAL_BYTES};
use crate::error::Error;

/// What a URL can be, for messages.
const LEGAL: &str = "`sqlite:<path>`, `postgres://<user>:<password>@<host>:<port>/<database>` or \
                     `mysql://<user>:<password>@<host>:<port>/<database>` (also `mariadb://`), \
                     each with its cargo feature; behind a `?` also `prefix=<name>`, \
                     `lease_ttl=<duration>`, `pool_size=<number>`, `migrate=never`, \
                     `statement_cache=off`, `whole=<bytes>` and `history=off`, \
                     `history=<versions>` or `history=<duration>`";

/// What a URL can begin with.
pub(super) const SCHEMES: [&str; 5] = ["sqlite", "postgres", "postgresql", "mysql", "mariadb"];

/// What a URL says.
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) options: Options,
}

/// What stands behind the `?` and is for this library.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) prefix: Option<String>,
    pub(super) lease_ttl: Option<Duration>,
    pub(super) pool_size: Option<u32>,
    pub(super) migrate: Option<Migrate>,
    pub(super) keeps_statements: Option<bool>,
    pub(super) history: Option<Keeps>,
    pub(super) whole_up_to: Option<usize>,
}

/// Reads a URL. No message repeats it: it may hold a password.
pub(super) fn parse(url: &str) -> Result<Target, Error> {
    let (scheme, rest) = url.split_once(':').ok_or_else(not_a_url)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut options = Options::default();
    let mut others = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        if !options.take(parameter)? {
            others.push(parameter);
        }
    }
    let place = place(scheme, rest, &others.join("&"))?;
    Ok(Target { place, options })
}

fn place(scheme: &str, rest: &str, query: &str) -> Result<Place, Error> {
    // Without any of the features they are not used.
    let _ = (rest, query);
    match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite(rest, query),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            let options =
                sqlx::postgres::PgConnectOptions::from_str(&server("postgres", rest, query)?);
            let options = options.map_err(|_| wrong("has a part or parameter that is none"))?;
            Ok(Place::Postgres(Source::Options(options.disable_statement_logging())))
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => {
            let options =
                sqlx::mysql::MySqlConnectOptions::from_str(&server("mysql", rest, query)?);
            let options = options.map_err(|_| wrong("has a part or parameter that is none"))?;
            if options.get_database().is_none_or(str::is_empty) {
                return Err(wrong("names no database"));
            }
            Ok(Place::MySql(Source::Options(options.disable_statement_logging())))
        }
        known if SCHEMES.contains(&known) => Err(Error::Config {
            reason: format!(
                "URLs of {known:?} need a cargo feature of cogency-state: `sqlite`, `postgres` or `mysql`"
            ),
        }),
        _ => Err(not_a_url()),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(rest: &str, query: &str) -> Result<Place, Error> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(wrong("names no file; to keep states in memory there is `memory:`"));
    }
    if !query.is_empty() {
        return Err(wrong("has a parameter that does not exist"));
    }
    Ok(Place::Sqlite(Source::Options(super::sqlite::options(path.as_ref()))))
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn server(scheme: &str, rest: &str, query: &str) -> Result<String, Error> {
    let authority = rest.strip_prefix("//").ok_or_else(not_a_url)?;
    Ok(format!("{scheme}://{authority}?{query}"))
}

impl Options {
    /// These, and where they say nothing, others.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            prefix: self.prefix.or(others.prefix),
            lease_ttl: self.lease_ttl.or(others.lease_ttl),
            pool_size: self.pool_size.or(others.pool_size),
            migrate: self.migrate.or(others.migrate),
            keeps_statements: self.keeps_statements.or(others.keeps_statements),
            history: self.history.or(others.history),
            whole_up_to: self.whole_up_to.or(others.whole_up_to),
        }
    }

    /// Whether a parameter is one of ours.
    fn take(&mut self, parameter: &str) -> Result<bool, Error> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "prefix" => self.prefix = Some(value.to_owned()),
            "lease_ttl" => {
                let ttl = humantime::parse_duration(value);
                self.lease_ttl = Some(ttl.map_err(|_| unreadable(name, "a duration, as `5s`"))?);
            }
            "pool_size" => {
                let size = value.parse().ok().filter(|size| *size > 0);
                self.pool_size = Some(size.ok_or_else(|| unreadable(name, "a number above 0"))?);
            }
            "migrate" => {
                self.migrate = Some(match value {
                    "never" => Migrate::Never,
                    "connect" => Migrate::AtConnect,
                    _ => return Err(unreadable(name, "`connect` or `never`")),
                });
            }
            "history" => {
                let keeps = Keeps::parse(value);
                self.history = Some(keeps.ok_or_else(|| unreadable(name, Keeps::LEGAL))?);
            }
            "whole" => {
                let whole = keeps::bytes(value);
                self.whole_up_to = Some(whole.ok_or_else(|| unreadable(name, LEGAL_BYTES))?);
            }
            "statement_cache" => {
                self.keeps_statements = Some(match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(unreadable(name, "`on` or `off`")),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn unreadable(name: &str, what: &str) -> Error {
    wrong(&format!("has a `{name}` that is not {what}"))
}

fn not_a_url() -> Error {
    wrong("is not one of a database")
}

fn wrong(what: &str) -> Error {
    Error::Config { reason: format!("the URL of the database {what}: give {LEGAL}") }
}
