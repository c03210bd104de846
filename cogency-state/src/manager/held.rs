//! Which keys the running task holds: a call that asks for one of them would wait for itself.

use std::future::Future;
use std::sync::Arc;

use super::queue::Place;

/// The keys that are held, from the innermost call outwards.
#[derive(Debug)]
pub(crate) struct HeldKeys {
    place: Place,
    outer: Option<Arc<HeldKeys>>,
}

tokio::task_local! {
    /// Set while a body is polled, not while its task or thread exists: bodies that are joined
    /// in one task do not see each other's keys.
    static HELD: Arc<HeldKeys>;
}

/// Whether the code that runs now is inside a call that holds this key.
pub(crate) fn is_held(place: &Place) -> bool {
    HELD.try_with(|innermost| {
        let mut held = Some(innermost);
        while let Some(keys) = held {
            if keys.place == *place {
                return true;
            }
            held = keys.outer.as_ref();
        }
        false
    })
    .unwrap_or(false)
}

/// Runs a body that holds one more key.
pub(crate) fn holding<F: Future>(place: Place, body: F) -> impl Future<Output = F::Output> {
    let outer = HELD.try_with(Arc::clone).ok();
    HELD.scope(Arc::new(HeldKeys { place, outer }), body)
}
