//! How a call runs: begin, drive, settle. Little of it is generic, so that little of it is compiled
//! into every `#[robust]` function.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Sleep;

use super::call::{BoxFuture, Call, Ended};
use super::types::{Codec, Returns};
use super::{Persist, Policy};
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::{HeldKeys, Terms};

/// The longest pause between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// One call of a `#[robust]` function with a state.
#[derive(Debug)]
pub struct Run {
    attempts: Retry,
    call: Call,
}

impl Run {
    /// Nothing happens yet. An invalid key fails in `begin`.
    #[must_use]
    pub fn new(policy: Policy, persist: Persist, key: Result<StateKey, Error>) -> Self {
        let terms = Terms { wait: policy.wait, ttl: policy.ttl, on_outage: policy.on_outage };
        let call = Call::new(persist, key, terms);
        Self { attempts: Retry::new(policy), call }
    }

    /// Begins an attempt: takes the lease before the first, and gives the state as it is stored.
    pub fn begin<T>(&mut self, codec: &Codec<T>) -> BoxFuture<'_, Result<T, Error>> {
        (codec.begin)(&mut self.call)
    }

    /// Runs the body, for as long as the time-out allows.
    #[must_use]
    pub fn drive<'a, F: Future>(&self, body: Pin<&'a mut F>) -> Drive<'a, F> {
        let held = self.call.place().map(|place| HeldKeys::and(place.clone()));
        Drive { body, held, deadline: self.attempts.deadline() }
    }

    /// Ends an attempt: saves, or pauses before the next one.
    pub async fn settle<T, R>(
        &mut self,
        codec: &Codec<T>,
        state: T,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        let ended = if returns.succeeded(&out) {
            self.call.save((codec.erase)(state))
        } else {
            drop(state);
            self.fail()
        };
        match ended.await {
            Ended::Done => ControlFlow::Break(returns.either(out)),
            Ended::NotSaved(error) => ControlFlow::Break(returns.error(error)),
            Ended::Again => ControlFlow::Continue(()),
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
        let ended = if returns.succeeded(&out) {
            self.call.save((codec.erase)(state))
        } else {
            drop(state);
            self.call.release()
        };
        match ended.await {
            Ended::NotSaved(error) => returns.error(error),
            Ended::Done | Ended::Again => returns.either(out),
        }
    }

    fn fail(&mut self) -> BoxFuture<'_, Ended> {
        Box::pin(async {
            if self.attempts.pause().await {
                return Ended::Again;
            }
            self.call.release().await
        })
    }
}

/// One call of a `#[robust]` function without a state.
#[derive(Debug)]
pub struct Retry {
    function: &'static str,
    left: u32,
    timeout: Option<Duration>,
    backoff: Duration,
    pauses: Option<ExponentialBackoff>,
}

impl Retry {
    /// Nothing happens yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let Policy { function, attempts, backoff, timeout, .. } = policy;
        Self { function, left: attempts.saturating_sub(1), timeout, backoff, pauses: None }
    }

    /// Runs the body, for as long as the time-out allows.
    #[must_use]
    pub fn drive<'a, F: Future>(&self, body: Pin<&'a mut F>) -> Drive<'a, F> {
        Drive { body, held: None, deadline: self.deadline() }
    }

    /// Ends an attempt: gives its outcome, or pauses before the next one.
    pub async fn settle<R>(
        &mut self,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        if !returns.succeeded(&out) && self.pause().await {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(returns.either(out))
    }

    /// Ends the only attempt.
    #[expect(clippy::unused_async, reason = "as `Run::finish`, which saves")]
    pub async fn finish<R>(&mut self, returns: &Returns<R>, out: Result<R, Error>) -> R {
        returns.either(out)
    }

    fn deadline(&self) -> Option<Deadline> {
        let (function, after) = (self.function, self.timeout?);
        Some(Deadline { function, after, sleep: Box::pin(tokio::time::sleep(after)) })
    }

    /// Waits before the next attempt; `false` if there is none left.
    fn pause(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            tokio::time::sleep(self.next_pause()).await;
            true
        })
    }

    fn next_pause(&mut self) -> Duration {
        let first = self.backoff;
        let pauses = self.pauses.get_or_insert_with(|| {
            ExponentialBuilder::new()
                .with_min_delay(first)
                .with_max_delay(MAX_BACKOFF.max(first))
                .with_jitter()
                .without_max_times()
                .build()
        });
        // Jitter adds up to as much again.
        pauses.next().unwrap_or(first).min(MAX_BACKOFF.max(first))
    }
}

/// A body that runs, with its keys marked as held and its time limited.
#[derive(Debug)]
pub struct Drive<'a, F> {
    body: Pin<&'a mut F>,
    held: Option<Arc<HeldKeys>>,
    deadline: Option<Deadline>,
}

/// When an attempt of a function has to end.
#[derive(Debug)]
struct Deadline {
    function: &'static str,
    after: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        let Self { function, after, sleep } = self;
        sleep.as_mut().poll(context).map(|()| Error::Timeout { function, after: *after })
    }
}

impl<F: Future> Future for Drive<'_, F> {
    type Output = Result<F::Output, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let entered = self.held.as_ref().map(HeldKeys::enter);
        let body = self.body.as_mut().poll(context);
        drop(entered);
        match body {
            Poll::Ready(out) => Poll::Ready(Ok(out)),
            Poll::Pending => match &mut self.deadline {
                Some(deadline) => deadline.poll(context).map(Err),
                None => Poll::Pending,
            },
        }
    }
}
