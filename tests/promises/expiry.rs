//! A state with a `ttl` expires that long after its last save, and then it is as if it had never
//! been. The words; the numbered promises are kept beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::{
    Capabilities, Error, Holder, Lease, LeaseAttempt, MemoryBackend, Metadata, Record, Revision,
    StateBackend, StateKey, StateManager, Write, robust,
};
use tokio::time::{Instant, sleep};

use crate::places::{Place, key, on_every_backend};

const TTL: Duration = Duration::from_millis(400);
/// For what takes its time on a busy machine.
const LONGER: Duration = Duration::from_secs(3);
/// What is due happens within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(10);

/// What each body here does.
fn said(state: &mut Vec<String>, turn: &str) -> usize {
    state.push(turn.to_owned());
    state.len()
}

/// Adds a turn to a state that expires soon, and says how many there are.
#[robust(persist = manager, ttl = "400ms")]
async fn brief(
    state: &mut Vec<String>,
    manager: &StateManager,
    turn: &str,
    user_id: &str,
) -> Result<usize, Error> {
    Ok(said(state, turn))
}

/// The same of a state that expires when its manager says.
#[robust(persist = manager)]
async fn plain(
    state: &mut Vec<String>,
    manager: &StateManager,
    turn: &str,
    user_id: &str,
) -> Result<usize, Error> {
    Ok(said(state, turn))
}

/// The same of one that does not expire for a week.
#[robust(persist = manager, ttl = "7d")]
async fn weekly(
    state: &mut Vec<String>,
    manager: &StateManager,
    turn: &str,
    user_id: &str,
) -> Result<usize, Error> {
    Ok(said(state, turn))
}

/// Outlives its state's ttl.
#[robust(persist = manager, ttl = "400ms")]
async fn slow(
    state: &mut Vec<String>,
    manager: &StateManager,
    user_id: &str,
    fails: bool,
) -> anyhow::Result<usize> {
    state.push("slowly".to_owned());
    sleep(TTL * 3).await;
    anyhow::ensure!(!fails, "in vain");
    Ok(state.len())
}

async fn is_there(place: &Place, user_id: &str) -> bool {
    let loaded = place.manager().load_state::<Vec<String>>(&key(user_id)).await;
    loaded.unwrap().is_some()
}

/// Waits until a state is gone.
async fn gone(place: &Place, user_id: &str) {
    let begun = Instant::now();
    while is_there(place, user_id).await {
        assert!(begun.elapsed() < PATIENCE, "it does not expire");
        sleep(Duration::from_millis(10)).await;
    }
}

on_every_backend! {
    async fn a_state_expires_that_long_after_its_last_save_and_the_next_call_begins_anew(
        place: Place
    ) {
        let manager = place.manager();
        assert_eq!(brief(&manager, "one", "alice").await.unwrap(), 1);
        assert_eq!(plain(&manager, "one", "bob").await.unwrap(), 1);
        gone(&place, "alice").await;
        assert_eq!(manager.list_states("alice").await.unwrap(), []);
        assert_eq!(brief(&manager, "anew", "alice").await.unwrap(), 1);
        assert_eq!(plain(&manager, "two", "bob").await.unwrap(), 2);
    }

    async fn a_state_that_is_used_again_and_again_does_not_expire(place: Place) {
        let manager = place.manager();
        let mut saved = Instant::now();
        let mut turns = brief(&manager, "one", "alice").await.unwrap();
        while turns < 8 {
            sleep(TTL / 4).await;
            let begun = Instant::now();
            let next = brief(&manager, "more", "alice").await.unwrap();
            // Unless this machine stood still for longer than the ttl.
            assert!(next == turns + 1 || saved.elapsed() >= TTL, "{next} after {turns}");
            (turns, saved) = (next, begun);
        }
        gone(&place, "alice").await;
    }

    async fn a_managers_ttl_holds_for_all_that_it_saves_and_a_functions_own_counts_more(
        place: Place
    ) {
        let manager = place.builder().ttl(TTL).build();
        weekly(&manager, "one", "weekly").await.unwrap();
        plain(&manager, "one", "plain").await.unwrap();
        manager.save_state(&key("by hand"), vec!["one".to_owned()], None).await.unwrap();
        let mut call = manager.begin::<Vec<String>>(&key("call")).await.unwrap();
        call.state.push("one".to_owned());
        call.commit().await.unwrap();
        for user_id in ["plain", "by hand", "call"] {
            gone(&place, user_id).await;
        }
        assert_eq!(weekly(&manager, "two", "weekly").await.unwrap(), 2);
    }

    async fn a_save_without_ttl_makes_the_state_stay(place: Place) {
        let manager = place.manager();
        brief(&manager, "one", "alice").await.unwrap();
        let turns = plain(&manager, "two", "alice").await.unwrap();
        // Where leases run out, what they had to do with it is over too.
        sleep(TTL * 3).await;
        assert_eq!(plain(&manager, "three", "alice").await.unwrap(), turns + 1);
    }

    async fn a_call_that_outlives_the_ttl_saves_what_it_changed(place: Place) {
        let manager = place.manager();
        for attempt in 0.. {
            let (user_id, begun) = (format!("alice {attempt}"), Instant::now());
            brief(&manager, "one", &user_id).await.unwrap();
            let turns = slow(&manager, &user_id, false).await.unwrap();
            // It begins anew only if this machine stood still for the ttl before it began.
            assert!(turns == 2 || begun.elapsed() >= TTL * 4, "{turns}");
            if turns == 2 {
                return gone(&place, &user_id).await;
            }
        }
    }

    async fn a_call_that_fails_does_not_keep_its_state_for_longer(place: Place) {
        let manager = place.manager();
        brief(&manager, "one", "alice").await.unwrap();
        slow(&manager, "alice", true).await.unwrap_err();
        gone(&place, "alice").await;
    }

    async fn nothing_of_an_expired_state_comes_back(place: Place) {
        // Small and large: each is kept at hand in another way.
        for (user_id, length) in [("small", 1), ("large", 1 << 20)] {
            let manager = place.builder().ttl(LONGER).build();
            let secret = "x".repeat(length);
            let revision = plain_save(&manager, user_id, &secret).await;
            gone(&place, user_id).await;
            assert!(manager.load_state::<Vec<String>>(&key(user_id)).await.unwrap().is_none());
            let stale = manager.save_state(&key(user_id), vec![secret], Some(revision)).await;
            assert!(matches!(stale, Err(Error::Conflict { found: 0, .. })), "{stale:?}");
            // A manager whose next save does not expire, so that it can be looked at.
            assert_eq!(weekly(&manager, "anew", user_id).await.unwrap(), 1);
            let loaded = manager.load_state::<Vec<String>>(&key(user_id)).await.unwrap().unwrap();
            assert_eq!(loaded.state, ["anew"]);
            assert_eq!(loaded.revision.version, 1);
            assert!(loaded.metadata.custom.is_empty(), "{:?}", loaded.metadata);
        }
    }

    async fn an_expired_state_does_not_hide_the_others_of_its_user(place: Place) {
        let manager = place.manager();
        let of = |session: &str| StateKey::new("alice", session).unwrap();
        let mortal = place.builder().ttl(TTL).build();
        for session in ["a", "b", "c"] {
            let manager = if session == "b" { &mortal } else { &manager };
            manager.save_state(&of(session), 1, None).await.unwrap();
        }
        let begun = Instant::now();
        while manager.list_states("alice").await.unwrap().len() == 3 {
            assert!(begun.elapsed() < PATIENCE);
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(manager.list_states("alice").await.unwrap(), [of("a"), of("c")]);
        assert!(!manager.delete_state(&of("b")).await.unwrap());
        assert!(manager.delete_state(&of("a")).await.unwrap());
    }

    async fn a_ttl_of_no_time_or_of_all_time_is_no_trap(place: Place) {
        let manager = place.builder().ttl(Duration::ZERO).build();
        let error = plain(&manager, "one", "alice").await.unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
        assert!(!is_there(&place, "alice").await);
        for ttl in [Duration::MAX, Duration::from_secs(1 << 40)] {
            let manager = place.builder().ttl(ttl).build();
            plain(&manager, "one", "alice").await.unwrap();
            assert!(is_there(&place, "alice").await);
        }
        // The shortest is a millisecond at least.
        let manager = place.builder().ttl(Duration::from_nanos(1)).build();
        plain(&manager, "one", "bob").await.unwrap();
        gone(&place, "bob").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_was_given_back_keeps_no_state_however_long_it_would_have_lasted() {
    for place in Place::with_leases(Duration::from_secs(60)) {
        let manager = place.manager();
        brief(&manager, "one", "alice").await.unwrap();
        slow(&manager, "alice", true).await.unwrap_err();
        gone(&place, "alice").await;
    }
}

/// Saves a first state with metadata of its own, as only a backend's user can.
async fn plain_save(manager: &StateManager, user_id: &str, turn: &str) -> Revision {
    let (backend, key) = (manager.backend(), key(user_id));
    let opened = backend.acquire_lease(&key, &Holder::current()).await.unwrap();
    let LeaseAttempt::Acquired(lease) = opened else { panic!("{opened:?}") };
    let mut metadata = Metadata::now();
    metadata.custom.insert("secret".to_owned(), turn.into());
    let state = serde_json::to_vec(&[turn]).unwrap();
    let record = Record::new(key.clone(), Revision::after(None), None, metadata, state.into());
    backend
        .save_and_release(&lease, &Write::new(record, None).with_ttl(Some(LONGER)))
        .await
        .unwrap();
    // Loaded and saved over by a call, so that the process has it at hand.
    assert_eq!(plain(manager, turn, user_id).await.unwrap(), 2);
    let loaded = manager.load_state::<Vec<String>>(&key).await.unwrap().unwrap();
    assert_eq!(loaded.metadata.custom["secret"], turn);
    loaded.revision
}

/// A third party's backend that knows nothing of a ttl.
#[derive(Debug)]
struct Eternal(MemoryBackend);

#[async_trait]
impl StateBackend for Eternal {
    fn location(&self) -> &'static str {
        "eternal:"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        self.0.acquire_lease(key, holder).await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.0.renew_lease(lease).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.0.release_lease(lease).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        self.0.load_state(key).await
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.0.save_state(lease, &Write::new(write.record.clone(), write.expected)).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        self.0.delete_state(lease).await
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        self.0.list_states(user_id).await
    }
}

#[tokio::test]
async fn a_backend_that_cannot_let_states_expire_is_refused_before_the_body_runs() {
    #[robust(persist = manager, ttl = "7d")]
    async fn ran(
        _state: &mut u32,
        manager: &StateManager,
        user_id: &str,
        ran: &AtomicBool,
    ) -> Result<(), Error> {
        ran.store(true, Ordering::SeqCst);
        Ok(())
    }

    let manager = StateManager::new(Eternal(MemoryBackend::new()));
    let has_run = AtomicBool::new(false);
    let error = ran(&manager, "alice", &has_run).await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("eternal:") && said.contains("leave out the `ttl`"), "{said}");
    assert!(!has_run.load(Ordering::SeqCst));

    let eternal: Arc<dyn StateBackend> = Arc::clone(manager.backend());
    let manager = cogency_state::StateManagerBuilder::over(eternal).ttl(TTL).build();
    let error = manager.begin::<u32>(&key("alice")).await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
    let error = manager.save_state(&key("alice"), 1, None).await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
    // Looking, listing and deleting have nothing to do with it.
    assert!(manager.load_state::<u32>(&key("alice")).await.unwrap().is_none());
    assert!(!manager.delete_state(&key("alice")).await.unwrap());
    // Without a ttl it is a backend as any other.
    let manager = StateManager::new(Eternal(MemoryBackend::new()));
    assert_eq!(plain(&manager, "one", "alice").await.unwrap(), 1);
    assert_eq!(plain(&manager, "two", "alice").await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_test_can_set_the_clock_of_the_memory_backend_forward_by_a_week() {
    let manager = StateManager::new(MemoryBackend::new());
    assert_eq!(weekly(&manager, "one", "alice").await.unwrap(), 1);
    tokio::time::advance(Duration::from_secs(7 * 24 * 60 * 60 - 1)).await;
    assert_eq!(weekly(&manager, "two", "alice").await.unwrap(), 2);
    tokio::time::advance(Duration::from_secs(7 * 24 * 60 * 60)).await;
    assert_eq!(weekly(&manager, "anew", "alice").await.unwrap(), 1);
}
