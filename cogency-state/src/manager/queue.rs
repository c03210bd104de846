//! Who waits for a key within this process: first come, first served.
//!
//! One queue for the whole process, whatever managers and runtimes its tasks belong to. Only the
//! head of a queue asks the backend, so that a backend sees one caller for each process and key.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use crate::backend::Holder;
use crate::key::StateKey;

/// A key at a location: what a lease is on.
pub(crate) type Place = (Arc<str>, StateKey);

/// Holds who is at the head, for those who wait.
type Slot = tokio::sync::Mutex<()>;

struct Entry {
    slot: Arc<Slot>,
    head: Option<Holder>,
    /// How many wait or are at the head.
    users: usize,
}

static QUEUES: LazyLock<Mutex<HashMap<Place, Entry>>> = LazyLock::new(Mutex::default);

/// No code that can panic runs under the lock, so a poisoned one is whole.
fn queues() -> MutexGuard<'static, HashMap<Place, Entry>> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in the queue of a key.
#[derive(Debug)]
pub(crate) struct Ticket {
    place: Place,
    /// Held by the head.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Ticket {
    /// Waits until all that came before have gone. Gives the current head if that takes longer
    /// than `wait`.
    pub(crate) async fn wait(
        place: Place,
        holder: &Holder,
        wait: Duration,
    ) -> Result<Self, Holder> {
        let slot = Self::join(&place);
        // From here on a dropped future leaves the queue.
        let mut ticket = Self { place, turn: None };
        ticket.turn = match Arc::clone(&slot).try_lock_owned() {
            Ok(turn) => Some(turn),
            Err(_) => tokio::time::timeout(wait, slot.lock_owned()).await.ok(),
        };
        let mut queues = queues();
        let Some(entry) = queues.get_mut(&ticket.place) else { return Ok(ticket) };
        if ticket.turn.is_some() {
            entry.head = Some(holder.clone());
            drop(queues);
            return Ok(ticket);
        }
        let head = entry.head.clone();
        drop(queues);
        Err(head.unwrap_or_else(Holder::unknown))
    }

    fn join(place: &Place) -> Arc<Slot> {
        let mut queues = queues();
        if let Some(entry) = queues.get_mut(place) {
            entry.users += 1;
            return Arc::clone(&entry.slot);
        }
        let slot = Arc::<Slot>::default();
        let entry = Entry { slot: Arc::clone(&slot), head: None, users: 1 };
        queues.insert(place.clone(), entry);
        slot
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut queues = queues();
        let Some(entry) = queues.get_mut(&self.place) else { return };
        entry.users -= 1;
        if self.turn.is_some() {
            entry.head = None;
        }
        if entry.users == 0 {
            queues.remove(&self.place);
        }
    }
}
