//! What the phases of an agent are given by name.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use cogency_state::{Error, MemoryBackend, StateManager, robust};
use tokio::time::Instant;

use crate::key;

macro_rules! presets {
    ($($preset:ident, $phase:literal, $attempts:literal, $seconds:literal;)*) => {
        $(mod $preset {
            use super::*;

            #[robust($preset, backoff = "0ms")]
            async fn hangs(tries: &Cell<u32>) -> Result<(), Error> {
                tries.set(tries.get() + 1);
                pending().await
            }

            #[robust($preset, persist = manager)]
            async fn keeps(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
                *state += 1;
                Ok(())
            }

            #[robust($preset, retry = 1, timeout = "1s", phase = "own", persist = manager)]
            async fn explicit(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
                *state += 1;
                if *state == 1 { Ok(()) } else { pending().await }
            }

            #[tokio::test(start_paused = true)]
            async fn has_the_attempts_and_the_time_out_of_the_original() {
                let (tries, begun) = (Cell::new(0), Instant::now());
                let error = hangs(&tries).await.unwrap_err();
                let each = Duration::from_secs($seconds);
                assert!(matches!(error, Error::Timeout { after, .. } if after == each), "{error}");
                assert_eq!(tries.get(), $attempts);
                let due = each * $attempts;
                assert!(begun.elapsed() >= due && begun.elapsed() < due + Duration::from_secs(1));
            }

            #[tokio::test]
            async fn records_the_phase_that_its_save_completes() {
                let manager = StateManager::new(MemoryBackend::new());
                keeps(&manager, "alice").await.unwrap();
                let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
                assert_eq!(metadata.phase_completed.as_deref(), Some($phase));
            }

            #[tokio::test(start_paused = true)]
            async fn gives_way_to_what_is_explicit() {
                let manager = StateManager::new(MemoryBackend::new());
                explicit(&manager, "alice").await.unwrap();
                let begun = Instant::now();
                explicit(&manager, "alice").await.unwrap_err();
                assert!(begun.elapsed() < Duration::from_millis(1500), "one attempt of 1 s");
                let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
                assert_eq!(metadata.phase_completed.as_deref(), Some("own"));
            }
        })*
    };
}

presets! {
    reason, "reasoning", 3, 30;
    act, "tool_execution", 5, 60;
    preprocess, "preprocessing", 2, 10;
    respond, "response", 2, 15;
    generic, "generic", 3, 30;
}

/// The second says nothing of phases: it has completed none.
#[tokio::test]
async fn a_phase_is_that_of_the_last_save() {
    #[robust(persist = manager)]
    async fn plain(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
        *state += 1;
        Ok(())
    }
    #[robust(reason, persist = manager, actor = "operator 7")]
    async fn phase(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
        *state += 1;
        Ok(())
    }
    let manager = StateManager::new(MemoryBackend::new());
    phase(&manager, "alice").await.unwrap();
    let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
    assert_eq!(metadata.actor.as_deref(), Some("operator 7"));
    plain(&manager, "alice").await.unwrap();
    let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
    assert_eq!((metadata.phase_completed, metadata.actor), (None, None));
}
