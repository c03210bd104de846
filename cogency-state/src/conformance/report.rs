//! All checks on one backend.

use std::fmt;

use super::check::{Check, Failure, Outcome};
use super::checks::checks;
use super::harness::Harness;

/// What the checks found out about a backend. [`Display`](fmt::Display) shows it in full.
#[derive(Clone, Debug)]
#[must_use]
pub struct Report {
    location: String,
    results: Vec<(Check, Outcome)>,
}

/// Runs all [`checks`] on a backend, one after the other.
pub async fn run(harness: &dyn Harness) -> Report {
    let location = harness.open().await.location().to_owned();
    let mut results = Vec::new();
    for check in checks() {
        results.push((*check, check.run(harness).await));
    }
    Report { location, results }
}

impl Report {
    /// Every check with its outcome.
    pub fn results(&self) -> impl Iterator<Item = (&Check, &Outcome)> {
        self.results.iter().map(|(check, outcome)| (check, outcome))
    }

    /// The checks that passed.
    pub fn passed(&self) -> impl Iterator<Item = &Check> {
        self.results().filter(|(_, outcome)| matches!(outcome, Outcome::Passed)).map(|(c, _)| c)
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = (&Check, &Failure)> {
        self.results().filter_map(|(check, outcome)| match outcome {
            Outcome::Failed(failure) => Some((check, failure)),
            _ => None,
        })
    }

    /// The checks that this backend gives no occasion for, and why.
    pub fn not_applicable(&self) -> impl Iterator<Item = (&Check, &str)> {
        self.results().filter_map(|(check, outcome)| match outcome {
            Outcome::NotApplicable(why) => Some((check, why.as_str())),
            _ => None,
        })
    }

    /// Panics with the whole report if a check failed.
    ///
    /// # Panics
    /// That is what it is for.
    pub fn assert_passed(&self) {
        assert!(self.failed().next().is_none(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, .. } = self;
        let (passed, failed) = (self.passed().count(), self.failed().count());
        let rest = self.not_applicable().count();
        write!(f, "{location}: {passed} passed, {failed} failed, {rest} not applicable")?;
        for (check, failure) in self.failed() {
            write!(f, "\n  failed: {}: {}\n    {failure}", check.name(), check.doc())?;
        }
        for (check, why) in self.not_applicable() {
            write!(f, "\n  not applicable: {}: {why}", check.name())?;
        }
        Ok(())
    }
}
