//! All that generated code may name. Not part of the public interface: anything here may change
//! in any release.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StateKey;
pub use crate::{DEFAULT_SESSION, Error};

mod backends;
pub use backends::{database, mysql, postgres, redis, sqlite};

/// How a call is made: what the attribute's arguments said.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// All attempts, at least 1.
    pub attempts: u32,
    /// The pause after the first failed attempt; it doubles after each.
    pub backoff: Duration,
    /// The longest that an attempt may take.
    pub timeout: Option<Duration>,
    /// The longest wait for the lease; `None`: what the manager says.
    pub wait: Option<Duration>,
}

/// Where a call's state is kept.
#[derive(Clone, Debug)]
pub struct Persist(&'static str);

impl Persist {
    /// `persist = "name or URL"`
    #[must_use]
    pub fn url(url: &'static str) -> Self {
        Self(url)
    }

    /// `persist = manager`
    #[must_use]
    pub fn manager(_manager: &(impl AsManager + ?Sized)) -> Self {
        Self("memory")
    }
}

/// What `persist = ...` takes besides names and URLs.
#[diagnostic::on_unimplemented(
    message = "`persist` takes a backend's name or URL in quotes, or a `StateManager`, not `{Self}`",
    label = "not a `StateManager`, nor a reference or an `Arc` to one"
)]
pub trait AsManager {}

/// The two halves of a key, from any expressions that can be shown as text.
pub fn key<U: Display + ?Sized, S: Display + ?Sized>(
    user_id: &U,
    session_id: &S,
) -> Result<StateKey, Error> {
    StateKey::new(user_id.to_string(), session_id.to_string())
}

/// What a state type can do, made where the type is written, so that a missing trait is one error.
#[derive(Debug)]
pub struct Codec<T>(PhantomData<fn() -> T>);

impl<T> Codec<T> {
    // The bounds stand on the function: as the block's, a missing trait would be "no function
    // `new`", with all the bounds in one message.
    #[must_use]
    #[expect(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self
    where
        T: Default + Serialize + DeserializeOwned + Send + 'static,
    {
        Self(PhantomData)
    }
}

/// What a function's return type can do.
#[diagnostic::on_unimplemented(
    message = "a `#[robust]` function returns a `Result<_, E>` with `E: From<cogency_state::Error>`",
    label = "`{Self}` cannot be made from a `cogency_state::Error`",
    note = "`cogency_state::Error` itself, `anyhow::Error`, `Box<dyn std::error::Error + Send + Sync>` \
            and any enum with `#[from] cogency_state::Error` will do for `E`"
)]
pub trait Fallible {
    /// Whether the attempt succeeded.
    fn is_ok(&self) -> bool;
    /// The library's error as the function's.
    fn from_error(error: Error) -> Self;
}

// The message above speaks of the whole return type, which is what the user wrote.
#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Fallible for Result<T, E> {
    fn is_ok(&self) -> bool {
        self.is_ok()
    }

    fn from_error(error: Error) -> Self {
        Err(error.into())
    }
}

/// What a return type can do, made where the type is written, so that a wrong one is one error.
#[derive(Debug)]
pub struct Returns<R> {
    is_ok: fn(&R) -> bool,
    from_error: fn(Error) -> R,
}

impl<R> Returns<R> {
    #[must_use]
    #[expect(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self
    where
        R: Fallible,
    {
        Self { is_ok: R::is_ok, from_error: R::from_error }
    }

    /// Whether the attempt succeeded.
    #[must_use]
    pub fn is_ok(&self, out: &R) -> bool {
        (self.is_ok)(out)
    }

    /// The library's error as the function's.
    #[must_use]
    pub fn error(&self, error: Error) -> R {
        (self.from_error)(error)
    }
}

/// An argument that is taken by value, anew for each attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must implement `Clone` because of `retry`",
    label = "each attempt gets a clone of this argument",
    note = "take the argument by reference, or implement `Clone`"
)]
pub trait Reuse: Sized {
    /// The argument for one attempt.
    #[must_use]
    fn reuse(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Reuse for T {
    fn reuse(&self) -> Self {
        self.clone()
    }
}

/// One call of a `#[robust]` function with a state.
#[derive(Debug)]
pub struct Run;

impl Run {
    /// Nothing happens yet. An invalid key fails in `begin`.
    #[must_use]
    pub fn new(_policy: Policy, _persist: Persist, _key: Result<StateKey, Error>) -> Self {
        Self
    }

    /// Begins an attempt: takes the lease before the first, and gives the state as it is stored.
    pub async fn begin<T>(&mut self, _codec: &Codec<T>) -> Result<T, Error> {
        todo!()
    }

    /// Runs the body, for as long as the time-out allows.
    pub async fn drive<F: Future>(&mut self, body: Pin<&mut F>) -> Result<F::Output, Error> {
        Ok(body.await)
    }

    /// Ends an attempt: saves, or pauses before the next one.
    pub async fn settle<T, R>(
        &mut self,
        _codec: &Codec<T>,
        _state: T,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        ControlFlow::Break(out.unwrap_or_else(|error| returns.error(error)))
    }

    /// Ends the only attempt.
    pub async fn finish<T, R>(
        &mut self,
        _codec: &Codec<T>,
        _state: T,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> R {
        out.unwrap_or_else(|error| returns.error(error))
    }
}

/// One call of a `#[robust]` function without a state.
#[derive(Debug)]
pub struct Retry;

impl Retry {
    /// Nothing happens yet.
    #[must_use]
    pub fn new(_policy: Policy) -> Self {
        Self
    }

    /// Runs the body, for as long as the time-out allows.
    pub async fn drive<F: Future>(&mut self, body: Pin<&mut F>) -> Result<F::Output, Error> {
        Ok(body.await)
    }

    /// Ends an attempt: gives its outcome, or pauses before the next one.
    pub async fn settle<R>(
        &mut self,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        ControlFlow::Break(out.unwrap_or_else(|error| returns.error(error)))
    }

    /// Ends the only attempt.
    pub async fn finish<R>(&mut self, returns: &Returns<R>, out: Result<R, Error>) -> R {
        out.unwrap_or_else(|error| returns.error(error))
    }
}
