//! Spans and events.

use cogency_state::{Error, FileBackend, MemoryBackend, OnOutage, StateKey, StateManager};
use cogency_state_tests::seen::{Noted, Seen};
use tempfile::TempDir;

use crate::{Chat, Does, Problem, SECRET, call, think};

fn key() -> StateKey {
    StateKey::for_user("alice").unwrap()
}

/// The only span of a call that there is.
fn only_call(seen: &Seen) -> Noted {
    let mut calls = seen.spans("call");
    assert_eq!(calls.len(), 1, "{}", seen.text());
    calls.remove(0)
}

fn assert_has(noted: &Noted, fields: &[(&'static str, &str)]) {
    for (name, value) in fields {
        assert_eq!(noted.fields.get(name).map(String::as_str), Some(*value), "{noted:?}");
    }
}

#[tokio::test]
async fn a_call_is_a_span_around_its_attempts_its_load_and_its_save() {
    let manager = StateManager::new(MemoryBackend::new());
    let (seen, _guard) = Seen::on_this_thread();
    call(&manager, "alice", Does::FailOnce).await.unwrap();

    let span = only_call(&seen);
    assert_eq!((&*span.target, span.level), ("cogency_state::call", tracing::Level::DEBUG));
    assert_has(&span, &[("function", "chat"), ("attempts", "2"), ("outcome", "saved")]);
    assert!(span.fields["key"].contains("alice"), "{span:?}");

    let attempts = seen.spans("attempt");
    let numbers: Vec<_> = attempts.iter().map(|attempt| &*attempt.fields["attempt"]).collect();
    assert_eq!(numbers, ["1", "2"]);
    assert!(attempts.iter().all(|attempt| attempt.within == ["call"]), "{attempts:?}");
    assert_eq!(seen.events("an attempt failed").len(), 1);

    for message in ["has its key", "a state was loaded", "a save ended"] {
        let events = seen.events(message);
        assert_eq!(events.len(), 1, "{message}: {}", seen.text());
        assert_eq!(events[0].within, ["call"], "{message}");
        assert!(events[0].fields["key"].contains("alice"), "{message}");
    }
    let saved = &seen.events("a save ended")[0];
    let bytes = r#"{"turns":["hunter2"]}"#.len().to_string();
    assert_has(saved, &[("version", "1"), ("bytes", &bytes), ("outcome", "saved")]);
    assert!(saved.fields.contains_key("took"), "{saved:?}");
}

#[tokio::test]
async fn spans_of_a_body_are_within_its_attempt() {
    let (seen, _guard) = Seen::on_this_thread();
    #[cogency_state::robust(timeout = "20s")]
    async fn outer() -> Result<(), Error> {
        think().await
    }
    outer().await.unwrap();
    let calls = seen.spans("call");
    assert_eq!(calls[1].within, ["call", "attempt"], "{calls:?}");
    assert_has(&calls[1], &[("function", "think"), ("attempts", "1"), ("outcome", "done")]);
}

#[tokio::test]
async fn a_call_that_fails_says_so_without_its_error() {
    let manager = StateManager::new(MemoryBackend::new());
    let (seen, _guard) = Seen::on_this_thread();
    let failed = call(&manager, "alice", Does::Fail).await;
    assert!(matches!(failed, Err(Problem::Own(text)) if text == SECRET));
    assert_has(&only_call(&seen), &[("attempts", "2"), ("outcome", "failed")]);
    assert!(!seen.text().contains(SECRET), "{}", seen.text());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_attempts_take_too_long_says_so() {
    let manager = StateManager::new(MemoryBackend::new());
    let (seen, _guard) = Seen::on_this_thread();
    call(&manager, "alice", Does::Sleep).await.unwrap_err();
    let span = only_call(&seen);
    assert_has(&span, &[("attempts", "2"), ("outcome", "refused"), ("error", "timeout")]);
}

#[tokio::test]
async fn a_call_that_does_not_begin_says_why() {
    let manager = StateManager::new(MemoryBackend::new());
    let (seen, _guard) = Seen::on_this_thread();
    call(&manager, "", Does::Succeed).await.unwrap_err();
    let span = only_call(&seen);
    assert_has(&span, &[("attempts", "0"), ("outcome", "refused"), ("error", "invalid_key")]);
}

#[tokio::test]
async fn a_call_that_is_dropped_says_so() {
    let manager = StateManager::new(MemoryBackend::new());
    let (seen, _guard) = Seen::on_this_thread();
    tokio::select! {
        biased;
        _ = call(&manager, "alice", Does::Sleep) => unreachable!(),
        () = tokio::task::yield_now() => {}
    }
    assert_has(&only_call(&seen), &[("attempts", "1"), ("outcome", "cancelled")]);
}

#[tokio::test]
async fn a_call_that_panics_says_so() {
    let manager = StateManager::new(MemoryBackend::new());
    let (seen, _guard) = Seen::on_this_thread();
    // A task of this thread's.
    let calling = tokio::spawn(async move { call(&manager, "alice", Does::Panic).await });
    assert!(calling.await.unwrap_err().is_panic());
    assert_has(&only_call(&seen), &[("attempts", "1"), ("outcome", "panicked")]);
}

#[tokio::test]
async fn a_refused_save_says_that_it_is_a_conflict() {
    let manager = StateManager::new(MemoryBackend::new());
    manager.save_state(&key(), Chat::default(), None).await.unwrap();
    let (seen, _guard) = Seen::on_this_thread();
    manager.save_state(&key(), Chat::default(), None).await.unwrap_err();
    assert_has(&seen.events("a save ended")[0], &[("outcome", "conflict"), ("version", "1")]);
}

#[tokio::test]
async fn no_span_and_no_event_holds_contents() {
    let dir = TempDir::new().unwrap();
    let managers =
        [StateManager::new(MemoryBackend::new()), StateManager::new(FileBackend::new(dir.path()))];
    let (seen, _guard) = Seen::on_this_thread();
    for manager in managers {
        for does in [Does::Succeed, Does::Fail, Does::FailOnce] {
            let _ = call(&manager, "alice", does).await;
        }
        manager.load_state::<Chat>(&key()).await.unwrap().unwrap();
        manager.load_state::<Vec<u32>>(&key()).await.unwrap_err();
    }
    assert_eq!(seen.spans("call").len(), 6);
    assert!(!seen.text().contains(SECRET), "{}", seen.text());
}

#[tokio::test]
async fn no_span_and_no_event_holds_the_password_of_a_url() {
    const NOBODY: &str = "redis://user:hunter2@127.0.0.1:1/0";
    let backend = cogency_state::RedisBackend::new(NOBODY).unwrap();
    let manager = StateManager::builder(backend).on_outage(OnOutage::Fail).build();
    let (seen, _guard) = Seen::on_this_thread();
    call(&manager, "alice", Does::Succeed).await.unwrap_err();
    assert_has(&only_call(&seen), &[("outcome", "refused"), ("error", "out_of_reach")]);
    assert!(!seen.text().contains(SECRET), "{}", seen.text());
}
