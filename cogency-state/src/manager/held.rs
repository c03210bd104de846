//! Which keys the running task holds: a call that asks for one of them would wait for itself.

use std::cell::RefCell;
use std::sync::Arc;

use super::current::Attempt;
use super::queue::Place;

/// The keys that are held, from the innermost call outwards.
#[derive(Debug)]
pub(crate) struct HeldKeys {
    /// `None` for a call that keeps no state because it is switched off.
    place: Option<Place>,
    /// What the body of the innermost call can learn of it.
    attempt: Option<Arc<Attempt>>,
    outer: Option<Arc<HeldKeys>>,
}

thread_local! {
    /// Set while a body is polled, not for as long as its task or thread exists: bodies that are
    /// joined in one task do not see each other's keys.
    static HELD: RefCell<Option<Arc<HeldKeys>>> = const { RefCell::new(None) };
}

impl HeldKeys {
    /// What is held now, and one more key.
    pub(crate) fn and(place: Place, attempt: Arc<Attempt>) -> Arc<Self> {
        let outer = keys();
        Arc::new(Self { place: Some(place), attempt: Some(attempt), outer })
    }

    /// No key more, and nothing to learn; `None` where nothing is held in any case.
    pub(crate) fn and_none() -> Option<Arc<Self>> {
        let outer = keys()?;
        Some(Arc::new(Self { place: None, attempt: None, outer: Some(outer) }))
    }

    /// Marks these keys as held by the code that runs on this thread, until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        Entered { before: HELD.replace(Some(Arc::clone(self))) }
    }
}

/// Whether the code that runs now is inside a call that holds this key.
pub(crate) fn is_held(place: &Place) -> bool {
    HELD.with_borrow(|innermost| {
        let mut held = innermost.as_ref();
        while let Some(keys) = held {
            if keys.place.as_ref() == Some(place) {
                return true;
            }
            held = keys.outer.as_ref();
        }
        false
    })
}

/// What the code that runs now holds.
pub(super) fn keys() -> Option<Arc<HeldKeys>> {
    HELD.with_borrow(Clone::clone)
}

/// Whether the same body holds both.
pub(super) fn is_same(one: Option<&Arc<HeldKeys>>, other: Option<&Arc<HeldKeys>>) -> bool {
    one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
}

/// The attempt that the code which runs now is part of.
pub(crate) fn current() -> Option<Arc<Attempt>> {
    HELD.with_borrow(|innermost| innermost.as_ref()?.attempt.clone())
}

/// Restores what was held before, also after a panic.
#[derive(Debug)]
pub(crate) struct Entered {
    before: Option<Arc<HeldKeys>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let held = HELD.replace(self.before.take());
        drop(held);
    }
}
