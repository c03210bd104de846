//! Work that may take long, where that holds nobody up.

/// Does what may take long on a thread that may block. Dropped before it began, it may not happen.
pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // It goes on as it would have here; a runtime that ends takes this task along.
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
