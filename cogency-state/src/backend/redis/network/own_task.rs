//! Work that others wait for too.

use tokio::runtime::Handle;

use super::miss::Miss;
use crate::backend::redis::problem::Problem;

/// Runs in a task of its own. A caller that is not polled any more, as a branch of `select!` may
/// be, would stand still with the lock that the others wait for.
pub(super) async fn on_its_own<T: Send + 'static>(
    work: impl Future<Output = Result<T, Miss>> + Send + 'static,
) -> Result<T, Miss> {
    let runtime = Handle::try_current().map_err(|_| Problem::NoRuntime)?;
    // It ends early with its runtime only.
    runtime.spawn(work).await.map_err(|_| Problem::NoRuntime)?
}
