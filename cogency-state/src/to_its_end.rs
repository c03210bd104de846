//! Work that comes to its end although nobody waits for it any more.
//!
//! A connection whose use was broken off is lost to its pool; or it is not, and has a transaction
//! open for whoever comes next. A lease whose taking was broken off may be taken all the same. So
//! no use is ever broken off.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs here, as part of its caller's task. Dropped before its end, the rest of it runs in a task
/// of its own.
pub(crate) struct ToItsEnd<T: Send + 'static> {
    /// `None` at its end.
    work: Option<Work<T>>,
    /// What to do with an output that nobody takes.
    untaken: Option<Box<dyn FnOnce(T) -> Work<()> + Send>>,
}

impl<T: Send + 'static> ToItsEnd<T> {
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)), untaken: None }
    }

    /// The same, where an output that nobody takes is to be given back.
    pub(crate) fn or_else<F: Future<Output = ()> + Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
        untaken: impl FnOnce(T) -> F + Send + 'static,
    ) -> Self {
        let untaken = move |output| Box::pin(untaken(output)) as Work<()>;
        Self { work: Some(Box::pin(work)), untaken: Some(Box::new(untaken)) }
    }
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        let (Some(work), untaken) = (self.work.take(), self.untaken.take()) else { return };
        // A panic has no rest to run; without a runtime there is nothing to run it.
        let Ok(runtime) = Handle::try_current() else { return };
        if std::thread::panicking() {
            return;
        }
        runtime.spawn(async move {
            let output = work.await;
            if let Some(untaken) = untaken {
                untaken(output).await;
            }
        });
    }
}
