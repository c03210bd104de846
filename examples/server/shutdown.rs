//! When the server ends: on SIGTERM, as container platforms send it, and on Ctrl-C.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    pub(crate) fn on_signals() -> io::Result<Self> {
        let (mut term, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (says, hears) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("no new connections: the turns that are at work are finished");
            says.send_replace(true);
            // Who listens later hears it too.
            says.closed().await;
        });
        Ok(Self(hears))
    }

    /// Waits for the signal.
    pub(crate) async fn begins(mut self) {
        // An error would say that the task ended, which it does last.
        let _ = self.0.wait_for(|begun| *begun).await;
    }

    /// Waits until what is at work when it begins has had its time.
    pub(crate) async fn ends(self, grace: Duration) {
        self.begins().await;
        tokio::time::sleep(grace).await;
    }
}
