//! 2. All or nothing: error, panic, time-out and cancellation leave what was stored.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cogency_state::{Error, StateManager, robust};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;

use crate::places::{Place, key, on_every_backend, store};
use crate::slow::{A_WHILE, SlowToSave};

type Turns = Vec<String>;

/// Changes its state in every attempt, and then ends as told.
enum End {
    Ok,
    Err,
    Panic,
    Never,
}

#[robust(persist = manager)]
async fn attempt(
    state: &mut Turns,
    manager: &StateManager,
    user_id: &str,
    end: End,
) -> anyhow::Result<usize> {
    state.push("changed".to_owned());
    tokio::task::yield_now().await;
    match end {
        End::Ok => Ok(state.len()),
        End::Err => anyhow::bail!("refused"),
        End::Panic => panic!("on purpose"),
        End::Never => std::future::pending().await,
    }
}

#[robust(persist = manager, timeout = "200ms")]
async fn too_long(state: &mut Turns, manager: &StateManager, user_id: &str) -> Result<(), Error> {
    state.push("changed".to_owned());
    std::future::pending().await
}

/// A text of any length that panics when it is written, or read, as told.
#[derive(Clone, Default, PartialEq)]
struct Fuse(String);

impl Serialize for Fuse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0.ends_with("write me"), "the fuse was written");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fuse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert!(!text.ends_with("read me"), "the fuse was read");
        Ok(Self(text))
    }
}

#[robust(persist = manager, retry = 3, backoff = "1ms")]
async fn light(
    state: &mut Fuse,
    manager: &StateManager,
    user_id: &str,
    fuse: Fuse,
) -> Result<(), Error> {
    *state = fuse;
    Ok(())
}

/// Succeeds in its third attempt.
#[robust(persist = manager, retry = 3, backoff = "1ms")]
async fn third_time_lucky(
    state: &mut Turns,
    manager: &StateManager,
    user_id: &str,
    attempts: &AtomicU32,
) -> anyhow::Result<usize> {
    state.push("changed".to_owned());
    if attempts.fetch_add(1, Ordering::SeqCst) < 2 {
        anyhow::bail!("not yet");
    }
    Ok(state.len())
}

/// How long one call pauses before each of its attempts but the first.
async fn pauses() -> Vec<Duration> {
    #[robust(retry = 12, backoff = "100ms")]
    async fn never(started: &Mutex<Vec<Instant>>) -> anyhow::Result<()> {
        started.lock().unwrap().push(Instant::now());
        anyhow::bail!("refused")
    }
    let started = Mutex::default();
    never(&started).await.unwrap_err();
    let started = started.into_inner().unwrap();
    started.windows(2).map(|two| two[1] - two[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn pauses_between_attempts_double_up_to_30_s_and_differ_from_call_to_call() {
    let (one, other) = (pauses().await, pauses().await);
    assert_ne!(one, other);
    let longest = Duration::from_secs(30);
    for (number, pause) in (0..).zip(&one) {
        let least = longest.min(Duration::from_millis(100) * 2_u32.pow(number));
        // Timers are as fine as a millisecond.
        let most = longest.min(least * 2) + Duration::from_millis(2);
        assert!((least..=most).contains(pause), "pause {number} of {pause:?}");
    }
}

async fn stored(place: &Place) -> usize {
    let loaded = place.manager().load_state::<Turns>(&key("alice")).await.unwrap();
    loaded.map_or(0, |loaded| loaded.state.len())
}

on_every_backend! {
    async fn an_error_leaves_what_was_stored(place: Place) {
        let manager = place.manager();
        attempt(&manager, "alice", End::Err).await.unwrap_err();
        assert_eq!(stored(&place).await, 0);
        assert_eq!(attempt(&manager, "alice", End::Ok).await.unwrap(), 1);
        attempt(&manager, "alice", End::Err).await.unwrap_err();
        assert_eq!(stored(&place).await, 1);
        // Nor does anything that this process remembers show the change.
        assert_eq!(attempt(&manager, "alice", End::Ok).await.unwrap(), 2);
    }

    async fn a_panic_leaves_what_was_stored_and_frees_the_key(place: Place) {
        let manager = place.manager();
        attempt(&manager, "alice", End::Ok).await.unwrap();
        let panicking = {
            let manager = manager.clone();
            tokio::spawn(async move { attempt(&manager, "alice", End::Panic).await })
        };
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!(stored(&place).await, 1);
        assert_eq!(attempt(&manager, "alice", End::Ok).await.unwrap(), 2);
    }

    async fn a_panic_in_serde_goes_on_as_it_is_whatever_the_size_and_frees_the_key(place: Place) {
        let manager = place.manager();
        // In this task, and on the blocking pool: as the last state was small, and as it was large.
        for (before, after) in [(1, 1), (1, 1 << 20), (1 << 20, 1 << 20)] {
            let before = Fuse("x".repeat(before));
            light(&manager, "alice", before.clone()).await.unwrap();
            for (end, message) in
                [("write me", "the fuse was written"), ("read me", "the fuse was read")]
            {
                let fuse = Fuse("x".repeat(after) + end);
                let lighting = {
                    let manager = manager.clone();
                    tokio::spawn(async move { light(&manager, "alice", fuse).await })
                };
                let panic = lighting.await.unwrap_err().into_panic();
                assert_eq!(panic.downcast_ref::<&str>(), Some(&message));
                let loaded = place.manager().load_state::<Fuse>(&key("alice")).await.unwrap();
                assert!(loaded.unwrap().state == before, "{message}");
                light(&manager, "alice", before.clone()).await.unwrap();
            }
        }
    }

    async fn a_panic_when_a_stored_state_is_read_goes_on_as_it_is_and_frees_the_key(place: Place) {
        for length in [1, 1 << 20] {
            let (manager, user_id) = (place.manager(), format!("read {length}"));
            let stored = serde_json::json!("x".repeat(length) + "read me").to_string();
            store(&manager, &user_id, stored).await;
            let lighting = {
                let (manager, user_id) = (manager.clone(), user_id.clone());
                tokio::spawn(async move { light(&manager, &user_id, Fuse::default()).await })
            };
            let panic = lighting.await.unwrap_err().into_panic();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"the fuse was read"));
            assert!(manager.delete_state(&key(&user_id)).await.unwrap());
        }
    }

    async fn a_time_out_leaves_what_was_stored_and_says_so(place: Place) {
        let manager = place.manager();
        attempt(&manager, "alice", End::Ok).await.unwrap();
        let error = too_long(&manager, "alice").await.unwrap_err();
        let limit = Duration::from_millis(200);
        assert!(matches!(error, Error::Timeout { after, .. } if after == limit), "{error}");
        assert!(error.to_string().contains("`too_long`"), "{error}");
        assert_eq!(stored(&place).await, 1);
        assert_eq!(attempt(&manager, "alice", End::Ok).await.unwrap(), 2);
    }

    async fn a_call_that_is_dropped_in_its_body_leaves_what_was_stored_and_frees_the_key(
        place: Place
    ) {
        let manager = place.manager();
        attempt(&manager, "alice", End::Ok).await.unwrap();
        let dropped = attempt(&manager, "alice", End::Never);
        tokio::time::timeout(Duration::from_millis(50), dropped).await.unwrap_err();
        assert_eq!(stored(&place).await, 1);
        assert_eq!(attempt(&manager, "alice", End::Ok).await.unwrap(), 2);
    }

    async fn every_attempt_starts_from_the_loaded_state(place: Place) {
        let manager = place.manager();
        let attempts = AtomicU32::new(0);
        assert_eq!(third_time_lucky(&manager, "alice", &attempts).await.unwrap(), 1);
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
        // The same from a state that is there, warm and cold.
        for (length, manager) in [(2, manager), (3, place.manager())] {
            let attempts = AtomicU32::new(0);
            assert_eq!(third_time_lucky(&manager, "alice", &attempts).await.unwrap(), length);
        }
        assert_eq!(stored(&place).await, 3);
    }

    async fn a_call_by_hand_that_is_not_committed_changes_nothing(place: Place) {
        let manager = place.manager();
        let mut call = manager.begin::<Turns>(&key("alice")).await.unwrap();
        call.state.push("changed".to_owned());
        drop(call);
        let mut call = manager.begin::<Turns>(&key("alice")).await.unwrap();
        assert!(call.state.is_empty());
        call.state.push("changed".to_owned());
        call.rollback().await;
        assert_eq!(stored(&place).await, 0);
    }
}

#[tokio::test]
async fn a_save_that_has_begun_runs_to_its_end_though_its_call_is_dropped() {
    let manager = StateManager::new(SlowToSave::new(false));
    let saving = attempt(&manager, "alice", End::Ok);
    tokio::time::timeout(A_WHILE / 2, saving).await.unwrap_err();
    // It waits for the key, which the save holds.
    assert_eq!(attempt(&manager, "alice", End::Ok).await.unwrap(), 2);
}

#[tokio::test]
async fn a_backend_that_panics_in_a_save_leaves_it_open_whether_it_happened_and_frees_the_key() {
    let manager = StateManager::new(SlowToSave::new(true));
    for _ in 0..2 {
        let error = attempt(&manager, "alice", End::Ok).await.unwrap_err();
        let error = error.downcast::<Error>().unwrap();
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("contents"), "{error:?}");
    }
}
