//! All that generated code may name. Not part of the public interface: anything here may change
//! in any release.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, StateKey};

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
}

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

impl<T: Serialize + DeserializeOwned + Default + Send + 'static> Codec<T> {
    #[must_use]
    #[expect(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// What a function's return type can do.
pub trait Fallible {
    /// Whether the attempt succeeded.
    fn is_ok(&self) -> bool;
    /// The library's error as the function's.
    fn from_error(error: Error) -> Self;
}

impl<T, E: From<Error>> Fallible for Result<T, E> {
    fn is_ok(&self) -> bool {
        self.is_ok()
    }

    fn from_error(error: Error) -> Self {
        Err(error.into())
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
    pub async fn settle<T, R: Fallible>(
        &mut self,
        _codec: &Codec<T>,
        _state: T,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        ControlFlow::Break(out.unwrap_or_else(R::from_error))
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
    pub async fn settle<R: Fallible>(&mut self, out: Result<R, Error>) -> ControlFlow<R> {
        ControlFlow::Break(out.unwrap_or_else(R::from_error))
    }
}
