//! Work that comes to its end although nobody waits for it any more.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs here, as part of its caller's task. Dropped before its end, the rest of it runs in a task
/// of its own: on the runtime that it ran on, or outside of any on the one that it was given. A
/// panic is its outcome, as a task's would be.
pub(super) struct ToTheEnd<T: Send + 'static> {
    /// `None` at its end.
    work: Option<Work<T>>,
    runtime: Handle,
}

impl<T: Send + 'static> ToTheEnd<T> {
    pub(super) fn new(
        runtime: Handle,
        work: impl Future<Output = T> + Send + 'static,
    ) -> ToTheEnd<T> {
        Self { work: Some(Box::pin(work)), runtime }
    }
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = Result<T, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => {
                self.work = Some(work);
                Poll::Pending
            }
            // What panicked has no rest to run.
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let runtime = Handle::try_current().unwrap_or_else(|_| self.runtime.clone());
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_rest_runs_although_the_runtime_where_it_was_prepared_is_gone() {
        let gone =
            std::thread::spawn(|| Builder::new_current_thread().build().unwrap().handle().clone());
        let (go, going) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let work = async move {
            going.await.unwrap();
            end.send("saved").unwrap();
        };
        let mut work = ToTheEnd::new(gone.join().unwrap(), work);
        let begun = poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context))).await;
        assert!(begun.is_pending());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(ended.await, Ok("saved"));
    }
}
