//! What went wrong in the original, and does not here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use cogency_state::{AgentState, Error, StateKey, StateManager, robust};
use tokio::task::JoinSet;

use crate::places::{Place, key, on_every_backend, store};

#[robust(persist = manager, retry = 3, backoff = "0ms")]
async fn ask(
    state: &mut AgentState,
    manager: &StateManager,
    user_id: &str,
    query: &str,
    failures: &AtomicU32,
) -> Result<String, Error> {
    state.begin_query(query);
    state.add_message("user", query);
    while state.may_go_on() {
        state.iteration += 1;
        if state.iteration == state.max_iterations {
            state.stop_reason = Some("max_iterations_reached".to_owned());
        }
    }
    let one_less = |left: u32| left.checked_sub(1);
    if failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
        return Err(Error::NoRuntime);
    }
    Ok(format!("{} after {}", state.messages.len(), state.iteration))
}

async fn ask_once(manager: &StateManager, query: &str) -> Result<String, Error> {
    ask(manager, "alice", query, &AtomicU32::new(0)).await
}

async fn messages(place: &Place) -> usize {
    let loaded = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
    loaded.state.messages.len()
}

on_every_backend! {
    async fn original_defect_a_restored_agent_never_ran_again(place: Place) {
        let mut spent = AgentState::new("before the restart", "alice");
        (spent.iteration, spent.max_iterations) = (10, 10);
        spent.stop_reason = Some("max_iterations_reached".to_owned());
        spent.response = Some("an answer to something else".to_owned());
        spent.add_message("user", "before the restart");
        place.manager().save_state(&key("alice"), spent, None).await.unwrap();

        assert_eq!(ask_once(&place.manager(), "after it").await.unwrap(), "2 after 10");
        let loaded = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.response, None);
    }

    async fn original_defect_three_attempts_tripled_the_messages(place: Place) {
        let said = ask(&place.manager(), "alice", "hello", &AtomicU32::new(2)).await.unwrap();
        assert_eq!(said, "1 after 3");
        assert_eq!(messages(&place).await, 1);
    }

    async fn original_defect_a_failed_phase_saved_its_half_done_state(place: Place) {
        ask_once(&place.manager(), "hello").await.unwrap();
        ask(&place.manager(), "alice", "half", &AtomicU32::new(3)).await.unwrap_err();
        assert_eq!(messages(&place).await, 1);
    }

    async fn original_defect_keys_that_look_alike_shared_a_state(place: Place) {
        let users = ["a:b", "a/b", "a_b", "A_B", "a%b"];
        for user in users {
            let state = AgentState::new(user, user);
            place.manager().save_state(&key(user), state, None).await.unwrap();
        }
        for user in users {
            let loaded = place.manager().load_state::<AgentState>(&key(user)).await.unwrap().unwrap();
            assert_eq!(loaded.state.query, user);
        }
    }

    async fn original_defect_a_list_showed_other_users_keys_and_took_patterns(place: Place) {
        let manager = place.manager();
        for user in ["al", "al_ice", "alice"] {
            manager.save_state(&key(user), AgentState::default(), None).await.unwrap();
        }
        assert_eq!(manager.list_states("al").await.unwrap(), [key("al")]);
        for pattern in ["*", "[a]l", "a?", "al*", "%"] {
            assert_eq!(manager.list_states(pattern).await.unwrap(), [], "{pattern}");
        }
    }

    async fn original_defect_two_workers_lost_an_update(place: Place) {
        let mut workers = JoinSet::new();
        for worker in 0..2 {
            let manager = place.manager();
            workers.spawn(async move {
                for turn in 0..20 {
                    ask_once(&manager, &format!("{worker}/{turn}")).await.unwrap();
                }
            });
        }
        workers.join_all().await;
        let loaded = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
        let said: BTreeSet<_> = loaded.state.messages.iter().map(|m| m.content.clone()).collect();
        assert_eq!((loaded.state.messages.len(), said.len()), (40, 40));
    }

    async fn original_defect_what_could_not_be_read_was_overwritten(place: Place) {
        store(&place.manager(), "alice", r#"{"query":"q","messages":"fifty of them"}"#.to_owned()).await;
        let before = place.manager().backend().load_state(&key("alice")).await.unwrap();
        let error = ask_once(&place.manager(), "hello").await.unwrap_err();
        assert!(matches!(&error, Error::Decode { path, .. } if path == "{1}"), "{error}");
        assert_eq!(place.manager().backend().load_state(&key("alice")).await.unwrap(), before);
    }

    async fn original_defect_nothing_came_back_after_a_restart(place: Place) {
        for turns in 1..=3 {
            // Each time as a new process would.
            let said = ask_once(&place.manager(), "hello").await.unwrap();
            assert_eq!(said, format!("{turns} after 3"));
        }
        assert_eq!(place.manager().list_states("alice").await.unwrap(), [key("alice")]);
    }

    async fn original_defect_errors_gave_a_bare_false(place: Place) {
        let error = StateKey::for_user("x".repeat(5000)).unwrap_err();
        assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
        let error = place.manager().save_state(&key("alice"), f64::NAN, None).await.unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error}");
        assert!(place.manager().load_state::<f64>(&key("alice")).await.unwrap().is_none());
    }

    async fn original_defect_sets_bytes_and_dates_became_text_without_a_word(place: Place) {
        use std::time::{Duration, SystemTime};
        let state = (BTreeSet::from([1, 2]), vec![0_u8, 255], SystemTime::UNIX_EPOCH + Duration::from_nanos(1));
        place.manager().save_state(&key("alice"), state.clone(), None).await.unwrap();
        let loaded = place.manager().load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(state, loaded.state);
    }
}

#[tokio::test]
async fn original_defect_the_shared_manager_leaked_between_agents() {
    let [one, other] = [Place::memory(), Place::memory()];
    ask_once(&one.manager(), "hello").await.unwrap();
    assert!(other.manager().load_state::<AgentState>(&key("alice")).await.unwrap().is_none());
}
