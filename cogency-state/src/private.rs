//! All that generated code may name. Not part of the public interface: anything here may change
//! in any release.

use std::fmt::{self, Display};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StateKey;
use crate::codec;
use crate::manager::{Hold, Place, StateManager, holding, typed};
use crate::record::Record;
pub use crate::{DEFAULT_SESSION, Error};

mod backends;
pub use backends::{database, mysql, postgres, redis, sqlite};

/// The longest pause between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

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
pub enum Persist {
    /// `persist = "name or URL"`
    Url(&'static str),
    /// `persist = manager`
    Manager(StateManager),
}

impl Persist {
    /// `persist = "name or URL"`
    #[must_use]
    pub const fn url(url: &'static str) -> Self {
        Self::Url(url)
    }

    /// `persist = manager`
    pub fn manager(manager: &(impl AsManager + ?Sized)) -> Self {
        Self::Manager(manager.as_manager().clone())
    }

    fn resolve(self) -> Result<StateManager, Error> {
        match self {
            Self::Url(url) => StateManager::shared(url),
            Self::Manager(manager) => Ok(manager),
        }
    }
}

/// A manager, or what leads to one.
#[diagnostic::on_unimplemented(
    message = "`persist` takes a backend's name or URL in quotes, or a `StateManager`, not `{Self}`",
    label = "not a `StateManager`, nor a reference or an `Arc` to one"
)]
pub trait AsManager {
    /// The manager.
    fn as_manager(&self) -> &StateManager;
}

impl AsManager for StateManager {
    fn as_manager(&self) -> &StateManager {
        self
    }
}

impl<M: AsManager + ?Sized> AsManager for &M {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

impl<M: AsManager + ?Sized> AsManager for &mut M {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

impl<M: AsManager + ?Sized> AsManager for Arc<M> {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

impl<M: AsManager + ?Sized> AsManager for Box<M> {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
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
pub struct Codec<T> {
    codec: codec::Codec<T>,
    fresh: fn() -> T,
}

impl<T> Codec<T> {
    // The bounds stand on the function: as the block's, a missing trait would be "no function
    // `new`", with all the bounds in one message.
    #[must_use]
    #[expect(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self
    where
        T: Default + Serialize + DeserializeOwned + Send + 'static,
    {
        Self { codec: codec::Codec::new(), fresh: T::default }
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codec.fmt(f)
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

    fn either(&self, out: Result<R, Error>) -> R {
        out.unwrap_or_else(|error| self.error(error))
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
pub struct Run {
    attempts: Retry,
    source: Option<Source>,
    open: Option<Open>,
}

/// What a call was told of its state.
#[derive(Debug)]
struct Source {
    persist: Persist,
    key: Result<StateKey, Error>,
    wait: Option<Duration>,
}

/// A call that has its lease.
#[derive(Debug)]
struct Open {
    manager: StateManager,
    place: Place,
    hold: Hold,
    /// What was loaded: every attempt starts from it.
    record: Option<Record>,
}

impl Source {
    async fn open(self) -> Result<Open, Error> {
        let key = self.key?;
        let manager = self.persist.resolve()?;
        let wait = self.wait.unwrap_or_else(|| manager.default_wait());
        let place = manager.place(&key);
        let (hold, record) = Hold::open(&manager, place.clone(), wait).await?;
        Ok(Open { manager, place, hold, record })
    }
}

impl Open {
    async fn read<T>(&self, codec: &Codec<T>) -> Result<T, Error> {
        match self.record.clone() {
            None => Ok((codec.fresh)()),
            Some(record) => typed::read(&self.manager, record, codec.codec).await,
        }
    }

    async fn save(self, state: Box<dyn codec::AnyState>) -> Result<(), Error> {
        let expected = self.record.as_ref().map(|record| record.revision);
        let size_before = self.record.as_ref().map_or(0, |record| record.state.len());
        let prepared = typed::write(&self.place.1, state, expected, size_before).await?;
        self.manager.save(self.hold, prepared).await.map(|_| ())
    }
}

impl Run {
    /// Nothing happens yet. An invalid key fails in `begin`.
    #[must_use]
    pub fn new(policy: Policy, persist: Persist, key: Result<StateKey, Error>) -> Self {
        let source = Source { persist, key, wait: policy.wait };
        Self { attempts: Retry::new(policy), source: Some(source), open: None }
    }

    /// Begins an attempt: takes the lease before the first, and gives the state as it is stored.
    pub async fn begin<T>(&mut self, codec: &Codec<T>) -> Result<T, Error> {
        if let Some(source) = self.source.take() {
            self.open = Some(source.open().await?);
        }
        match &self.open {
            Some(open) => open.read(codec).await,
            None => Ok((codec.fresh)()),
        }
    }

    /// Runs the body, for as long as the time-out allows.
    pub async fn drive<F: Future>(&mut self, body: Pin<&mut F>) -> Result<F::Output, Error> {
        let Some(open) = &self.open else { return self.attempts.drive(body).await };
        let mut body = std::pin::pin!(holding(open.place.clone(), body));
        self.attempts.drive(body.as_mut()).await
    }

    /// Ends an attempt: saves, or pauses before the next one.
    pub async fn settle<T, R>(
        &mut self,
        codec: &Codec<T>,
        state: T,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        match out {
            Ok(out) if returns.is_ok(&out) => {
                ControlFlow::Break(self.save(codec, state, returns, out).await)
            }
            failed => {
                drop(state);
                let next = self.attempts.settle(returns, failed).await;
                if next.is_break() {
                    self.release().await;
                }
                next
            }
        }
    }

    /// Ends the only attempt.
    pub async fn finish<T, R>(
        &mut self,
        codec: &Codec<T>,
        state: T,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> R {
        match out {
            Ok(out) if returns.is_ok(&out) => self.save(codec, state, returns, out).await,
            failed => {
                drop(state);
                self.release().await;
                returns.either(failed)
            }
        }
    }

    async fn save<T, R>(&mut self, codec: &Codec<T>, state: T, returns: &Returns<R>, out: R) -> R {
        let Some(open) = self.open.take() else { return out };
        match open.save((codec.codec.erase)(state)).await {
            Ok(()) => out,
            Err(error) => returns.error(error),
        }
    }

    async fn release(&mut self) {
        if let Some(open) = self.open.take() {
            open.hold.release().await;
        }
    }
}

/// One call of a `#[robust]` function without a state.
#[derive(Debug)]
pub struct Retry {
    left: u32,
    timeout: Option<Duration>,
    backoff: Duration,
    pauses: Option<ExponentialBackoff>,
}

impl Retry {
    /// Nothing happens yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let Policy { attempts, backoff, timeout, wait: _ } = policy;
        Self { left: attempts.saturating_sub(1), timeout, backoff, pauses: None }
    }

    /// Runs the body, for as long as the time-out allows.
    pub async fn drive<F: Future>(&mut self, body: Pin<&mut F>) -> Result<F::Output, Error> {
        match self.timeout {
            None => Ok(body.await),
            Some(after) => {
                let in_time = tokio::time::timeout(after, body).await;
                in_time.map_err(|_| Error::Timeout { after })
            }
        }
    }

    /// Ends an attempt: gives its outcome, or pauses before the next one.
    pub async fn settle<R>(
        &mut self,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        let succeeded = matches!(&out, Ok(out) if returns.is_ok(out));
        if succeeded || self.left == 0 {
            return ControlFlow::Break(returns.either(out));
        }
        drop(out);
        self.left -= 1;
        tokio::time::sleep(self.pause()).await;
        ControlFlow::Continue(())
    }

    /// Ends the only attempt.
    #[expect(clippy::unused_async, reason = "as `Run::finish`, which saves")]
    pub async fn finish<R>(&mut self, returns: &Returns<R>, out: Result<R, Error>) -> R {
        returns.either(out)
    }

    fn pause(&mut self) -> Duration {
        let first = self.backoff;
        let pauses = self.pauses.get_or_insert_with(|| {
            ExponentialBuilder::new()
                .with_min_delay(first)
                .with_max_delay(MAX_BACKOFF.max(first))
                .with_jitter()
                .without_max_times()
                .build()
        });
        pauses.next().unwrap_or(first)
    }
}
