//! What became of the state of a `#[robust]` call, for who made the call.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::held::{self, HeldKeys};
use super::outage::Outcome;

/// Makes a call, and tells what became of its state beside what the call returned: that it is in
/// the backend, or [spooled](crate::OnOutage::Spool) on this machine because the backend is out of
/// reach. `None` where nothing was saved: the call ended in an error, which says why, or keeps no
/// state.
///
/// It is the outcome of the `#[robust]` function that is called, not of those that its body calls.
/// Where several are called one after the other, it is the last one's that saved. What runs in a
/// task of its own tells only whoever asks in that task.
///
/// ```
/// use cogency_state::{Error, Outcome, robust, with_outcome};
///
/// #[robust(persist = "memory")]
/// async fn chat(state: &mut Vec<String>, user_id: &str, query: &str) -> Result<usize, Error> {
///     state.push(query.to_owned());
///     Ok(state.len())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let (turns, outcome) = with_outcome(chat("alice", "hello")).await;
/// assert_eq!(turns?, 1);
/// assert!(matches!(outcome, Some(Outcome::Saved(revision)) if revision.version == 1));
/// # Ok(())
/// # }
/// ```
pub async fn with_outcome<F: Future>(call: F) -> (F::Output, Option<Outcome>) {
    let asks = Arc::new(Asks { within: held::keys(), outcome: Mutex::new(None) });
    let mut call = pin!(call);
    let output = poll_fn(|context| {
        let _asking = Asking::begin(&asks);
        call.as_mut().poll(context)
    })
    .await;
    let outcome = *asks.outcome.lock().unwrap_or_else(PoisonError::into_inner);
    (output, outcome)
}

/// Somebody who wants to know.
struct Asks {
    /// The call in whose body they ask: those in its own body's calls are theirs.
    within: Option<Arc<HeldKeys>>,
    outcome: Mutex<Option<Outcome>>,
}

thread_local! {
    /// Set while the call is polled, as the keys that it holds are.
    static ASKS: RefCell<Option<Arc<Asks>>> = const { RefCell::new(None) };
}

/// Restores who asked before, also after a panic.
struct Asking(Option<Arc<Asks>>);

impl Asking {
    fn begin(asks: &Arc<Asks>) -> Self {
        Self(ASKS.replace(Some(Arc::clone(asks))))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let asks = ASKS.replace(self.0.take());
        drop(asks);
    }
}

/// Tells who asks what became of the call that ends now, unless it is one in the body of theirs.
pub(crate) fn tell(outcome: Outcome) {
    ASKS.with_borrow(|asks| {
        if let Some(asks) = asks
            && held::is_same(asks.within.as_ref(), held::keys().as_ref())
        {
            *asks.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        }
    });
}
