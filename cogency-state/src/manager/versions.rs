//! Which version of its type a stored state is, and what has to be done to read it.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use super::migrations::{FIRST, Migrations};
use crate::codec::{Document, Untyped};
use crate::error::{BoxError, Error};
use crate::record::Record;

/// What a program says of the versions of a state type.
#[derive(Clone, Debug, Default)]
pub(crate) enum Versions {
    /// Nothing: it is of the first, and no record says so.
    #[default]
    Uncounted,
    /// `version = 3, migrate = chat_migrations`
    OfCall(Counted),
    /// What the manager was given for the type.
    OfManager(Arc<Migrations>),
}

/// What a call says of the version of its state type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) version: u32,
    pub(crate) migrate: Option<fn() -> Migrations>,
}

/// What a manager was given, by state type.
pub(super) type OfTypes = HashMap<TypeId, Arc<Migrations>>;

impl Versions {
    /// What a call says counts more than what its manager says.
    pub(super) fn new(of_call: Option<Counted>, of_types: &OfTypes, state_type: TypeId) -> Self {
        let of_manager = || of_types.get(&state_type).cloned().map(Self::OfManager);
        of_call.map(Self::OfCall).or_else(of_manager).unwrap_or_default()
    }

    /// What a save writes down.
    pub(super) fn to_write(&self) -> Option<u32> {
        match self {
            Self::Uncounted => None,
            Self::OfCall(counted) => Some(counted.version),
            Self::OfManager(migrations) => Some(migrations.version()),
        }
    }

    fn version(&self) -> u32 {
        self.to_write().unwrap_or(FIRST)
    }

    /// Whether a record is of the version that the program has.
    pub(super) fn is_current(&self, record: &Record) -> bool {
        version_of(record) == self.version()
    }

    /// Whether a record says that it is of a type that has nothing to do with this one.
    pub(super) fn is_other_type(&self, record: &Record, codec: Untyped) -> Result<bool, Error> {
        Ok(kinship(record, codec) == Kinship::None && !is_known(record, &*self.migrations()?))
    }

    /// The steps. Those of a call are made anew each time that a record needs them.
    fn migrations(&self) -> Result<Arc<Migrations>, Error> {
        let (migrations, due) = match self {
            Self::Uncounted | Self::OfCall(Counted { migrate: None, .. }) => {
                return Ok(Arc::default());
            }
            Self::OfCall(Counted { version, migrate: Some(migrate) }) => {
                (Arc::new(migrate()), *version)
            }
            Self::OfManager(migrations) => (Arc::clone(migrations), migrations.version()),
        };
        if let Some(mistake) = migrations.mistake() {
            return Err(Error::Config { reason: format!("the migrations are wrong: {mistake}") });
        }
        let version = migrations.version();
        if version != due {
            let reason = format!(
                "the migrations lead to version {version}, but the function says `version = {due}`: \
                 a new version is one more step"
            );
            return Err(Error::Config { reason });
        }
        Ok(migrations)
    }
}

/// A state of today's type, as JSON, and whether its type may be known by its last name only.
pub(super) struct Current {
    pub(super) json: bytes::Bytes,
    pub(super) was_moved: bool,
}

/// The state of a record as one of today's type, through all steps that lead there.
pub(super) fn migrate(
    record: &Record,
    location: &str,
    codec: Untyped,
    versions: &Versions,
) -> Result<Current, Error> {
    let is_current = versions.is_current(record);
    let kinship = kinship(record, codec);
    if is_current && kinship != Kinship::None {
        let was_moved = kinship == Kinship::Moved;
        return Ok(Current { json: record.state.clone(), was_moved });
    }
    let migrations = versions.migrations()?;
    let is_known = is_known(record, &migrations);
    if kinship == Kinship::None && !is_known {
        return Err(other_type(record, location, codec));
    }
    let was_moved = kinship == Kinship::Moved && !is_known;
    let json =
        Steps { record, location, codec, migrations: &migrations }.run(versions.version())?;
    Ok(Current { json, was_moved })
}

/// Whether the steps name the type that a record is of.
fn is_known(record: &Record, migrations: &Migrations) -> bool {
    let version = version_of(record);
    record.state_type.as_deref().is_some_and(|name| migrations.knows(version, name))
}

/// An [`Error::StateType`].
pub(super) fn other_type(record: &Record, location: &str, codec: Untyped) -> Error {
    let stored = record.state_type.as_deref().unwrap_or_default().to_owned();
    let (key, backend, expected) = (record.key.clone(), location.to_owned(), (codec.type_name)());
    Error::StateType { key, backend, stored, expected }
}

fn version_of(record: &Record) -> u32 {
    record.metadata.state_version.unwrap_or(FIRST)
}

struct Steps<'a> {
    record: &'a Record,
    location: &'a str,
    codec: Untyped,
    migrations: &'a Migrations,
}

impl Steps<'_> {
    fn run(&self, due: u32) -> Result<bytes::Bytes, Error> {
        let found = version_of(self.record);
        if found > due {
            return Err(self.newer(found, due));
        }
        // Before the first step: none runs where one is missing.
        if let Some(missing) = (found..due).find(|from| !self.migrations.has(*from)) {
            return Err(self.missing(found, missing));
        }
        let mut state = Document::Json(self.record.state.clone());
        for from in found..due {
            let Some(stepped) = self.migrations.run(from, state) else {
                return Err(self.missing(found, from));
            };
            state = stepped.map_err(|error| self.failed(from, error))?;
        }
        state.into_json().map_err(|error| self.failed(due.saturating_sub(1), error))
    }

    fn newer(&self, found: u32, supported: u32) -> Error {
        let (key, backend) = (self.record.key.clone(), self.location.to_owned());
        let state_type = (self.codec.type_name)();
        Error::StateVersion { key, backend, state_type, found, supported }
    }

    fn missing(&self, found: u32, from: u32) -> Error {
        let (key, backend) = (self.record.key.clone(), self.location.to_owned());
        let state_type = (self.codec.type_name)();
        Error::NoMigration { key, backend, state_type, found, from }
    }

    fn failed(&self, from: u32, source: BoxError) -> Error {
        let (key, backend) = (self.record.key.clone(), self.location.to_owned());
        let state_type = (self.codec.type_name)();
        Error::Migration { key, backend, state_type, from, source: without_contents(source) }
    }
}

/// What `serde_json` says of a value that does not fit quotes it.
pub(super) fn without_contents(source: BoxError) -> BoxError {
    match source.downcast_ref::<serde_json::Error>() {
        Some(error) => format!("what it met does not fit, a {:?} error", error.classify()).into(),
        None => source,
    }
}

/// How a stored type name is related to the type that is to be loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinship {
    /// It is that type's, or nobody wrote one down.
    Same,
    /// It differs in modules only.
    Moved,
    None,
}

fn kinship(record: &Record, codec: Untyped) -> Kinship {
    let expected = (codec.type_name)();
    match record.state_type.as_deref() {
        None => Kinship::Same,
        Some(stored) if stored == expected => Kinship::Same,
        Some(stored) if without_paths(stored) == without_paths(expected) => Kinship::Moved,
        Some(_) => Kinship::None,
    }
}

/// `a::b::Chat<c::Turn>` -> `Chat<Turn>`
fn without_paths(type_name: &str) -> String {
    let mut short = String::with_capacity(type_name.len());
    for part in type_name.split_inclusive(|c: char| !(c.is_alphanumeric() || "_:{}".contains(c))) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}
