//! Who waits for a key within this process: first come, first served.
//!
//! One queue for the whole process, whatever managers and runtimes its tasks belong to. Only the
//! head of a queue asks the backend, so that a backend sees one caller for each process and key.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::holder::Holder;
use crate::key::StateKey;

/// A key at a location: what a lease is on.
pub(crate) type Place = (Arc<str>, StateKey);

/// One key's queue.
#[derive(Debug)]
struct Queue {
    /// One permit, which the head has. Those who wait for it get it in the order in which they
    /// came.
    turn: Semaphore,
    /// Who the head is, for those who wait.
    head: Mutex<Option<Holder>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), head: Mutex::default() }
    }
}

impl Queue {
    /// Takes the permit; `false` if that takes longer than `wait`.
    async fn turn(&self, wait: Duration) -> bool {
        let permit = if let Ok(permit) = self.turn.try_acquire() {
            Some(permit)
        } else {
            let in_time = tokio::time::timeout(wait, self.turn.acquire()).await;
            in_time.ok().and_then(Result::ok)
        };
        // The ticket gives it back.
        permit.map(SemaphorePermit::forget).is_some()
    }
}

/// The queues that somebody is in, with how many are.
type Queues = HashMap<Place, (Arc<Queue>, usize), RandomState>;

static QUEUES: LazyLock<Mutex<Queues>> = LazyLock::new(Mutex::default);

/// No code that can panic runs under these locks, so a poisoned one is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place in the queue of a key.
#[derive(Debug)]
pub(crate) struct Ticket {
    place: Place,
    queue: Arc<Queue>,
    /// Whether it has the permit.
    is_head: bool,
}

impl Ticket {
    /// Waits until all that came before have gone. Gives the current head if that takes longer
    /// than `wait`.
    pub(crate) async fn wait(
        place: Place,
        holder: &Holder,
        wait: Duration,
    ) -> Result<Self, Holder> {
        // From here on a dropped future leaves the queue.
        let mut ticket = Self::join(place);
        ticket.is_head = ticket.queue.turn(wait).await;
        let mut head = lock(&ticket.queue.head);
        if !ticket.is_head {
            return Err(head.clone().unwrap_or_else(Holder::unknown));
        }
        *head = Some(holder.clone());
        drop(head);
        Ok(ticket)
    }

    fn join(place: Place) -> Self {
        let mut queues = lock(&QUEUES);
        let (queue, users) = queues.entry(place.clone()).or_default();
        *users += 1;
        Self { place, queue: Arc::clone(queue), is_head: false }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_head {
            *lock(&self.queue.head) = None;
            self.queue.turn.add_permits(1);
        }
        let mut queues = lock(&QUEUES);
        if let Some((_, users)) = queues.get_mut(&self.place) {
            *users -= 1;
            if *users == 0 {
                queues.remove(&self.place);
            }
        }
    }
}
