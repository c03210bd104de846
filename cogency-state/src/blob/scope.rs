//! What a blob knows while serde goes through a state: that its bytes are stored beside it, or
//! where they are to be loaded from. serde takes no argument of ours, and runs on one thread: so
//! it stands in a thread's own variable for as long as that takes.

use std::cell::RefCell;
use std::thread::LocalKey;

use super::{Blob, Origin};

type Scope<T> = RefCell<Option<T>>;

thread_local! {
    static COLLECTING: Scope<Vec<Blob>> = const { RefCell::new(None) };
    static READING: Scope<Origin> = const { RefCell::new(None) };
}

/// Puts back what stood there before, also after a panic.
struct Outer<T: 'static> {
    scope: &'static LocalKey<Scope<T>>,
    before: Option<T>,
}

impl<T> Outer<T> {
    fn enter(scope: &'static LocalKey<Scope<T>>, inner: Option<T>) -> Self {
        Self { scope, before: scope.replace(inner) }
    }

    /// What stands there at the end.
    fn take(&self) -> Option<T> {
        self.scope.take()
    }
}

impl<T> Drop for Outer<T> {
    fn drop(&mut self) {
        let inner = self.scope.replace(self.before.take());
        // Outside of the borrow: it may be the last copy of much.
        drop(inner);
    }
}

/// Writes a state whose blobs somebody stores: gives those that were written, each once.
pub(crate) fn collecting<R>(write: impl FnOnce() -> R) -> (R, Vec<Blob>) {
    let outer = Outer::enter(&COLLECTING, Some(Vec::new()));
    let written = write();
    let blobs = outer.take().unwrap_or_default();
    (written, blobs)
}

/// Reads a state whose blobs are stored there, if that is known.
pub(crate) fn reading<R>(origin: Option<Origin>, read: impl FnOnce() -> R) -> R {
    let _outer = Outer::enter(&READING, origin);
    read()
}

/// Notes a blob that is written. `false` if nobody stores it.
pub(super) fn note(blob: &Blob) -> bool {
    COLLECTING.with_borrow_mut(|collected| {
        let Some(collected) = collected else { return false };
        match collected.iter_mut().find(|known| known.id == blob.id) {
            None => collected.push(blob.clone()),
            // Two of the same bytes may differ in whether they have them.
            Some(known) if known.here().is_none() => *known = blob.clone(),
            Some(_) => {}
        }
        true
    })
}

/// Where a blob that is read is stored.
pub(super) fn origin() -> Option<Origin> {
    READING.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_collected_once_and_not_by_the_scope_around() {
        let (a, b) = (Blob::new("a"), Blob::new("b"));
        let (inner, outer) = collecting(|| {
            assert!(note(&a));
            let ((), inner) = collecting(|| assert!(note(&b) && note(&b)));
            inner
        });
        assert_eq!((inner, outer), (vec![b], vec![a.clone()]));
        assert!(!note(&a));
    }

    #[test]
    fn a_panic_ends_the_scope() {
        let panicked = std::panic::catch_unwind(|| collecting(|| panic!("while it is written")));
        assert!(panicked.is_err());
        assert!(!note(&Blob::new("a")));
    }
}
