//! What would become of all that is stored, if a program of today loaded it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::versions::Versions;
use super::{Migrations, StateManager, typed};
use crate::codec::{Codec, Untyped};
use crate::error::{Error, PANICKED};
use crate::key::StateKey;

/// How many keys are asked for at once, and after how many the progress is told.
const PAGE: usize = 256;
/// How many states are read at once: on a server most of the time is the way there and back.
const AT_ONCE: usize = 4;

/// What [`StateManager::check`] found, so far or in the end.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// States that load as they are.
    pub current: usize,
    /// States that load through migrations.
    pub migrated: usize,
    /// States of other types, which were not looked into.
    pub of_other_types: usize,
    /// What would not load.
    pub failures: Vec<CheckFailure>,
}

/// A state that would not load.
#[derive(Debug)]
#[non_exhaustive]
pub struct CheckFailure {
    /// The state.
    pub key: StateKey,
    /// Why: what a call would get.
    pub error: Error,
}

impl CheckReport {
    /// How many states were looked at.
    #[must_use]
    pub fn checked(&self) -> usize {
        self.current + self.migrated + self.of_other_types + self.failures.len()
    }

    /// Whether all that is of the type would load.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    fn add(&mut self, key: StateKey, found: Result<Fit, Error>) {
        match found {
            Ok(Fit::Nothing) => {}
            Ok(Fit::Current) => self.current += 1,
            Ok(Fit::Migrated) => self.migrated += 1,
            Ok(Fit::OtherType) => self.of_other_types += 1,
            Err(error) => {
                if !self.failures.iter().any(|failure| failure.key == key) {
                    self.failures.push(CheckFailure { key, error });
                }
            }
        }
    }
}

/// The figures, then a line for each state that would not load.
impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { current, migrated, of_other_types, failures } = self;
        write!(
            f,
            "{} states: {current} load as they are, {migrated} through migrations, {} would not \
             load, {of_other_types} are of other types",
            self.checked(),
            failures.len()
        )?;
        failures.iter().try_for_each(|failure| write!(f, "\n{}", failure.error))
    }
}

/// How what is under a key fits the type.
enum Fit {
    Nothing,
    Current,
    Migrated,
    OtherType,
}

impl StateManager {
    /// Loads everything that is stored as a program with these migrations would, and tells what
    /// would not load and why. Nothing is changed, and nobody is waited for: it may run against
    /// what is in use, before a release goes out.
    ///
    /// `progress` gets what was found so far, now and then. It costs a load of each state, and the
    /// reading of those that are of the type; four at a time. What is saved meanwhile may be missed,
    /// and on Redis a state may be counted twice. States of other types, as far as their records
    /// say so, are only counted.
    ///
    /// ```
    /// use cogency_state::{Error, MemoryBackend, Migrations, StateKey, StateManager};
    ///
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Chat {
    ///     turns: Vec<String>,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// let manager = StateManager::new(MemoryBackend::new());
    /// manager.save_state(&StateKey::for_user("alice")?, Chat::default(), None).await?;
    ///
    /// let migrations = Migrations::new().step(1, |_| Err("not yet written".into()));
    /// let report = manager.check::<Chat>(&migrations, |so_far| println!("{so_far}")).await?;
    /// assert!(!report.is_ok());
    /// assert!(matches!(report.failures[0].error, Error::Migration { from: 1, .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if the backend [cannot list](crate::Capabilities::lists_all) all keys,
    /// [`Error::Backend`] if it fails.
    pub async fn check<T>(
        &self,
        migrations: &Migrations,
        mut progress: impl FnMut(&CheckReport),
    ) -> Result<CheckReport, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        if !self.is_on() {
            return Ok(CheckReport::default());
        }
        let versions = Versions::OfManager(Arc::new(migrations.clone()));
        let codec = Codec::<T>::new().untyped;
        let (mut report, mut after) = (CheckReport::default(), None);
        loop {
            let page = self.backend().list_all(after.as_deref(), PAGE).await?;
            self.check_page(page.keys, codec, &versions, &mut report).await?;
            progress(&report);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(report),
            }
        }
    }

    async fn check_page(
        &self,
        keys: Vec<StateKey>,
        codec: Untyped,
        versions: &Versions,
        report: &mut CheckReport,
    ) -> Result<(), Error> {
        let mut running = JoinSet::new();
        let mut keys = keys.into_iter();
        loop {
            while running.len() < AT_ONCE
                && let Some(key) = keys.next()
            {
                let (manager, versions) = (self.clone(), versions.clone());
                running
                    .spawn(async move { (check_one(&manager, &key, codec, &versions).await, key) });
            }
            match running.join_next().await {
                None => return Ok(()),
                Some(Ok((Err(error @ (Error::Backend { .. } | Error::NoRuntime)), _))) => {
                    return Err(error);
                }
                Some(Ok((found, key))) => report.add(key, found),
                Some(Err(stopped)) => {
                    return Err(Error::backend(None, self.backend().location(), "check", stopped));
                }
            }
        }
    }
}

async fn check_one(
    manager: &StateManager,
    key: &StateKey,
    codec: Untyped,
    versions: &Versions,
) -> Result<Fit, Error> {
    let Some(record) = manager.backend().load_state(key).await? else { return Ok(Fit::Nothing) };
    if versions.is_other_type(&record, codec)? {
        return Ok(Fit::OtherType);
    }
    let found = if versions.is_current(&record) { Fit::Current } else { Fit::Migrated };
    let (location, versions) = (manager.backend().location().to_owned(), versions.clone());
    let reading =
        move || typed::read_as(&record, &location, codec, &versions, codec.read).map(drop);
    // On another thread whatever its size: there a panic ends no more than this reading.
    match tokio::task::spawn_blocking(reading).await {
        Ok(read) => read.map(|()| found),
        Err(stopped) if stopped.is_panic() => Err(panicked(manager, key, codec)),
        Err(ended) => Err(Error::backend(Some(key), "the blocking pool", "read", ended)),
    }
}

fn panicked(manager: &StateManager, key: &StateKey, codec: Untyped) -> Error {
    let (key, backend) = (key.clone(), manager.backend().location().to_owned());
    let (path, reason) = (".".to_owned(), PANICKED.to_owned());
    Error::Decode { key, backend, state_type: (codec.type_name)(), path, reason }
}
