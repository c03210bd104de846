//! A lease that is given back if nobody waits for it any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::records::Records;
use crate::backend::Opened;
use crate::error::Error;

type Work = Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send>>;

/// Takes a lease. Dropped before its end it goes on in a task of its own, and gives back what it
/// takes: the command may be under way already.
pub(super) struct Acquiring {
    /// `None` at its end.
    work: Option<Work>,
    records: Arc<Records>,
}

impl Acquiring {
    pub(super) fn new(
        records: &Arc<Records>,
        work: impl Future<Output = Result<Opened, Error>> + Send + 'static,
    ) -> Self {
        Self { work: Some(Box::pin(work)), records: Arc::clone(records) }
    }
}

impl Future for Acquiring {
    type Output = Result<Opened, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl Drop for Acquiring {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let records = Arc::clone(&self.records);
        // Without a runtime the lease runs out.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Ok(Opened::Acquired { lease, .. }) = work.await {
                records.give_back(&lease).await;
            }
        });
    }
}
