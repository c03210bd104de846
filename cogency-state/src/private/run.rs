//! How a call runs: begin, drive, settle. Little of it is generic, so that little of it is compiled
//! into every `#[robust]` function.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tracing::{Instrument, Span};

use super::call::{BoxFuture, Call, Ended};
use super::limit::{InTime, Limit, Limits};
use super::types::{Codec, Returns};
use super::{Persist, Policy};
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::{Counted, HeldKeys, Terms};
use crate::observe::{CallSpan, Ending};

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
        let Policy { wait, ttl, version, migrate, phase, on_outage, .. } = policy;
        let version = version.map(|version| Counted { version, migrate });
        let mut terms = Terms { wait, ttl, version, on_outage, ..Terms::default() };
        terms.facts.phase = phase;
        let attempts = Retry::new(policy);
        if let Ok(key) = &key {
            attempts.seen.of_key(key);
        }
        Self { attempts, call: Call::new(persist, key, terms) }
    }

    /// Begins an attempt: takes the lease before the first, and gives the state as it is stored.
    pub fn begin<'a, T: 'a>(&'a mut self, codec: &Codec<T>) -> BoxFuture<'a, Result<T, Error>> {
        let work = (codec.begin)(&mut self.call);
        let work = match self.attempts.limits.of_call() {
            None => work,
            Some(limit) => Box::pin(InTime { work, limit }),
        };
        seen(&mut self.attempts.seen, work)
    }

    pub(super) fn terms(&mut self) -> Option<&mut Terms> {
        self.call.terms()
    }

    /// Has it fail in `begin`.
    pub(super) fn refuse(&mut self, error: Error) {
        self.call.refuse(error);
    }

    /// Whether another attempt is worth it, where the function says so.
    pub fn retries(&mut self, is_worth_it: bool) {
        self.attempts.retries(is_worth_it);
    }

    /// Runs the body, for as long as the time-out allows.
    #[must_use]
    pub fn drive<'a, F: Future>(&mut self, body: Pin<&'a mut F>) -> Drive<'a, F> {
        Drive { held: self.call.held(), ..self.attempts.drive(body) }
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
            self.call.save((codec.erase)(state), &mut self.attempts.seen)
        } else {
            drop(state);
            self.fail(out.as_ref().err())
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
            self.call.save((codec.erase)(state), &mut self.attempts.seen)
        } else {
            drop(state);
            self.attempts.failed(out.as_ref().err());
            self.call.release()
        };
        match ended.await {
            Ended::NotSaved(error) => returns.error(error),
            Ended::Done | Ended::Again => returns.either(out),
        }
    }

    fn fail<'a>(&'a mut self, error: Option<&'a Error>) -> BoxFuture<'a, Ended> {
        Box::pin(async move {
            if self.attempts.pause().await {
                return Ended::Again;
            }
            self.attempts.failed(error);
            self.call.release().await
        })
    }
}

/// One call of a `#[robust]` function without a state.
#[derive(Debug)]
pub struct Retry {
    left: u32,
    limits: Limits,
    backoff: Duration,
    pauses: Option<ExponentialBackoff>,
    seen: CallSpan,
}

impl Retry {
    /// Nothing happens yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let (left, backoff) = (policy.attempts.saturating_sub(1), policy.backoff);
        let seen = CallSpan::new(policy.function);
        Self { left, limits: Limits::new(&policy), backoff, pauses: None, seen }
    }

    /// Whether another attempt is worth it, where the function says so.
    pub fn retries(&mut self, is_worth_it: bool) {
        if !is_worth_it {
            self.left = 0;
        }
    }

    /// Runs the body, for as long as the time-out allows.
    #[must_use]
    pub fn drive<'a, F: Future>(&mut self, body: Pin<&'a mut F>) -> Drive<'a, F> {
        let (limit, span) = (self.limits.of_attempt(), self.seen.attempt());
        Drive { body, held: None, limit, span }
    }

    /// Ends an attempt: gives its outcome, or pauses before the next one.
    pub async fn settle<R>(
        &mut self,
        returns: &Returns<R>,
        out: Result<R, Error>,
    ) -> ControlFlow<R> {
        if returns.succeeded(&out) {
            self.seen.ends(Ending::Done);
        } else if self.pause().await {
            return ControlFlow::Continue(());
        } else {
            self.failed(out.as_ref().err());
        }
        ControlFlow::Break(returns.either(out))
    }

    /// Ends the only attempt.
    #[expect(clippy::unused_async, reason = "as `Run::finish`, which saves")]
    pub async fn finish<R>(&mut self, returns: &Returns<R>, out: Result<R, Error>) -> R {
        if returns.succeeded(&out) {
            self.seen.ends(Ending::Done);
        } else {
            self.failed(out.as_ref().err());
        }
        returns.either(out)
    }

    /// The last attempt failed: in an error of ours if it took too long, else in the body's.
    fn failed(&mut self, error: Option<&Error>) {
        match error {
            Some(error) => self.seen.refused(error),
            None => self.seen.ends(Ending::Failed),
        }
    }

    /// Waits before the next attempt; `false` if there is none left.
    fn pause(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            if self.left == 0 {
                return false;
            }
            self.left -= 1;
            let pause = self.next_pause();
            if !self.limits.allow(pause) {
                return false;
            }
            self.seen.retries(pause);
            tokio::time::sleep(pause).await;
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

/// What begins a call, within its span, if anybody looks.
fn seen<'a, T: 'a>(
    call: &'a mut CallSpan,
    work: BoxFuture<'a, Result<T, Error>>,
) -> BoxFuture<'a, Result<T, Error>> {
    if !call.is_seen() {
        return work;
    }
    Box::pin(async move {
        let begun = work.instrument(call.span().clone()).await;
        begun.inspect_err(|error| call.refused(error))
    })
}

/// A body that runs, with its keys marked as held and its time limited.
#[derive(Debug)]
pub struct Drive<'a, F> {
    body: Pin<&'a mut F>,
    held: Option<Arc<HeldKeys>>,
    limit: Option<Limit>,
    span: Span,
}

impl<F: Future> Future for Drive<'_, F> {
    type Output = Result<F::Output, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { body, held, limit, span } = &mut *self;
        let entered = (held.as_ref().map(HeldKeys::enter), span.enter());
        let body = body.as_mut().poll(context);
        drop(entered);
        match body {
            Poll::Ready(out) => Poll::Ready(Ok(out)),
            Poll::Pending => match limit {
                Some(limit) => limit.poll(context).map(Err),
                None => Poll::Pending,
            },
        }
    }
}
