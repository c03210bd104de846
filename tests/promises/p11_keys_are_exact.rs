//! 11. Keys are exact.
//!
//! The conformance suite has a list of its own, which every backend passes; here is what users see.

use std::sync::atomic::{AtomicU32, Ordering};

use cogency_state::{Error, MAX_ID_BYTES, StateKey, StateManager, robust};

use crate::places::on_every_backend;

#[robust(persist = manager, session = session_id)]
async fn chat(
    state: &mut Vec<String>,
    manager: &StateManager,
    user_id: &str,
    session_id: &str,
    entered: &AtomicU32,
) -> Result<usize, Error> {
    entered.fetch_add(1, Ordering::SeqCst);
    state.push(format!("{user_id}|{session_id}"));
    Ok(state.len())
}

const IDS: &[&str] = &[
    "alice",
    "Alice",
    "ALICE",
    "al",
    "alice ",
    "alice.",
    "a:b",
    "a/b",
    "a\\b",
    "a_b",
    "a-b",
    "a%b",
    "%61",
    ".",
    "..",
    "../alice",
    "*",
    "[a]lice",
    "?lice",
    "{alice}",
    "con",
    "nul.txt",
    "\u{202e}alice",
    "é",
    "e\u{301}",
    "日本語",
    "🚀👩‍💻",
    "\n",
    "'; DROP TABLE states; --",
    "default",
    "~",
    "@processes",
    "lock",
    "state.json",
];

on_every_backend! {
    async fn keys_that_differ_in_anything_are_different_states(place: Place) {
        let (manager, entered) = (place.manager(), AtomicU32::new(0));
        for id in IDS {
            assert_eq!(chat(&manager, id, "default", &entered).await.unwrap(), 1, "{id:?}");
            assert_eq!(chat(&manager, "sessions", id, &entered).await.unwrap(), 1, "{id:?}");
        }
        for id in IDS {
            let key = StateKey::for_user(id).unwrap();
            let loaded = manager.load_state::<Vec<String>>(&key).await.unwrap().unwrap();
            assert_eq!(loaded.state, [format!("{id}|default")]);
        }
    }

    async fn listing_gives_the_keys_of_that_user_and_no_other(place: Place) {
        let (manager, entered) = (place.manager(), AtomicU32::new(0));
        for id in IDS {
            chat(&manager, id, "default", &entered).await.unwrap();
            chat(&manager, "sessions", id, &entered).await.unwrap();
        }
        for id in IDS {
            assert_eq!(manager.list_states(id).await.unwrap(), [StateKey::for_user(id).unwrap()]);
        }
        let mut sessions: Vec<_> =
            IDS.iter().map(|id| StateKey::new("sessions", id).unwrap()).collect();
        sessions.sort();
        assert_eq!(manager.list_states("sessions").await.unwrap(), sessions);
        assert!(manager.list_states("nobody").await.unwrap().is_empty());
    }

    async fn ids_are_as_long_as_documented_and_exact_to_the_last_byte(place: Place) {
        let (manager, entered) = (place.manager(), AtomicU32::new(0));
        let longest = "é".repeat(MAX_ID_BYTES / 2);
        let ids = [longest.clone(), longest[..MAX_ID_BYTES - 2].to_owned() + "ab", "x".repeat(300)];
        for id in &ids {
            assert_eq!(chat(&manager, id, id, &entered).await.unwrap(), 1);
        }
        for id in &ids {
            assert_eq!(manager.list_states(id).await.unwrap(), [StateKey::new(id, id).unwrap()]);
        }
    }

    async fn ids_that_cannot_be_kept_are_refused_before_anything_is_touched(place: Place) {
        let (manager, entered) = (place.manager(), AtomicU32::new(0));
        let too_long = "x".repeat(MAX_ID_BYTES + 1);
        for id in ["", "nul\0", too_long.as_str()] {
            for (user_id, session_id) in [(id, "default"), ("alice", id)] {
                let error = chat(&manager, user_id, session_id, &entered).await.unwrap_err();
                assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
                assert!(error.to_string().contains("1 to 1024 bytes"), "{error}");
            }
            let error = manager.list_states(id).await.unwrap_err();
            assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
        }
        assert_eq!(entered.load(Ordering::SeqCst), 0);
        assert!(manager.list_states("alice").await.unwrap().is_empty());
    }
}
