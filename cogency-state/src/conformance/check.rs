//! One check, and how it ends.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::time::Duration;

use super::harness::Harness;
use super::trial::Trial;
use crate::error::Error;

/// How often a check begins anew when the machine was too slow for it.
const TRIES: u32 = 4;

/// One rule of the contract, put to the test.
#[derive(Clone, Copy)]
pub struct Check {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) body: Body,
}

pub(super) type Body =
    for<'t> fn(&'t Trial<'t>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 't>>;

/// What the body of a check returns.
pub(super) type Verdict<T = ()> = Result<T, Stop>;

/// Why the body of a check stopped before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The backend breaks the rule.
    Failed(Failure),
    /// The rule is about something that this backend does not have.
    NotApplicable(&'static str),
    /// The machine stood still for longer than a lease or a record lasts, which proves nothing.
    TooSlow,
}

/// How a check ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The backend keeps the rule.
    Passed,
    /// The rule is about something that this backend or its harness does not have; why.
    NotApplicable(String),
    /// The backend breaks the rule.
    Failed(Failure),
}

/// How a backend breaks a rule.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
}

impl Check {
    /// What is checked, as a sentence in snake case: `an_absent_key_loads_none`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The rule in one line.
    #[must_use]
    pub fn doc(&self) -> &'static str {
        self.doc.trim_ascii()
    }

    /// Runs this check. It does not panic, and it ends within the harness's deadline.
    pub async fn run(&self, harness: &dyn Harness) -> Outcome {
        for _ in 0..TRIES {
            match self.try_once(harness).await {
                Ok(()) => return Outcome::Passed,
                Err(Stop::NotApplicable(why)) => return Outcome::NotApplicable(why.to_owned()),
                Err(Stop::Failed(failure)) => return Outcome::Failed(failure),
                Err(Stop::TooSlow) => {}
            }
        }
        Outcome::Failed(Failure::new(
            "every try took longer than a lease or a record lasts: run the suite with a longer \
             lease_ttl, or find out what holds the backend up",
        ))
    }

    async fn try_once(&self, harness: &dyn Harness) -> Verdict {
        let deadline = harness.deadline();
        let body = async {
            let trial = Trial::begin(harness).await;
            let verdict = within(deadline, caught((self.body)(&trial))).await;
            // Best effort: a backend that cannot delete has failed another check.
            let _ = within(deadline, caught(trial.clean_up())).await;
            verdict
        };
        within(deadline * 3, caught(body)).await
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl Stop {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(message))
    }

    /// The backend returned an error where none was due.
    pub(super) fn unexpected(operation: &str, error: &Error) -> Self {
        Self::failed(format!("{operation} failed: {error}"))
    }
}

/// Ends the check with a failure.
macro_rules! fail {
    ($($message:tt)*) => {
        return Err($crate::conformance::check::Stop::failed(format!($($message)*)))
    };
}

/// Ends the check with a failure unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            $crate::conformance::check::fail!($($message)*);
        }
    };
}

pub(super) use {ensure, fail};

/// The verdict of a body, or a failure if it takes too long.
async fn within(deadline: Duration, body: impl Future<Output = Verdict>) -> Verdict {
    tokio::time::timeout(deadline, body)
        .await
        .unwrap_or_else(|_| Err(Stop::failed(format!("hangs: no answer within {deadline:?}"))))
}

/// The verdict of a body, or a failure if it panics.
async fn caught(body: impl Future<Output = Verdict>) -> Verdict {
    let mut body = pin!(body);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(context)))
            .unwrap_or_else(|panic| Err(Stop::failed(said(&*panic))).into())
    })
    .await
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}
