//! How long an attempt and a call may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Policy;
use crate::error::Error;

/// How long the attempts of a function may take, and all of them together.
#[derive(Debug)]
pub(super) struct Limits {
    function: &'static str,
    of_attempt: Option<Duration>,
    /// How long the call may take, and when that is over.
    of_call: Option<(Duration, Instant)>,
}

impl Limits {
    /// The call begins now.
    pub(super) fn new(policy: &Policy) -> Self {
        let of_call = policy.deadline.map(|deadline| (deadline, Instant::now() + deadline));
        Self { function: policy.function, of_attempt: policy.timeout, of_call }
    }

    /// When an attempt that begins now has to end.
    pub(super) fn of_attempt(&self) -> Option<Limit> {
        let end = self.of_attempt.map(|after| (after, Instant::now() + after));
        match (end, self.of_call) {
            (Some((_, end)), Some((_, last))) if last <= end => self.of_call(),
            (None, _) => self.of_call(),
            (Some((after, end)), _) => {
                let (function, sleep) = (self.function, Box::pin(sleep_until(end)));
                Some(Limit { function, after, is_of_call: false, sleep })
            }
        }
    }

    /// When the call has to end.
    pub(super) fn of_call(&self) -> Option<Limit> {
        let (after, end) = self.of_call?;
        let (function, sleep) = (self.function, Box::pin(sleep_until(end)));
        Some(Limit { function, after, is_of_call: true, sleep })
    }

    /// Whether another attempt can begin so long from now.
    pub(super) fn allow(&self, pause: Duration) -> bool {
        self.of_call.is_none_or(|(_, end)| Instant::now() + pause < end)
    }
}

/// When something has to end, and the error if it has not.
#[derive(Debug)]
pub(super) struct Limit {
    function: &'static str,
    after: Duration,
    is_of_call: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Limit {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        let Self { function, after, is_of_call, sleep } = self;
        let (function, after, is_of_call) = (*function, *after, *is_of_call);
        sleep.as_mut().poll(context).map(|()| {
            if is_of_call {
                Error::Deadline { function, after }
            } else {
                Error::Timeout { function, after }
            }
        })
    }
}

/// Work that has to end in time.
#[derive(Debug)]
pub(super) struct InTime<F> {
    pub(super) work: F,
    pub(super) limit: Limit,
}

impl<T, F: Future<Output = Result<T, Error>> + Unpin> Future for InTime<F> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.work).poll(context) {
            Poll::Pending => self.limit.poll(context).map(Err),
            done @ Poll::Ready(_) => done,
        }
    }
}
