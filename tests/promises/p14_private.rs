//! 14. Private: contents never appear in errors, logs or Debug.
//!
//! What belongs to files (modes, links) is in `file_crash`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cogency_state::{Error, StateManager, robust};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Metadata, Subscriber};

use crate::places::{Place, key, on_every_backend};

const SECRET: &str = "hunter2";

#[derive(Default, Serialize, Deserialize)]
struct Chat {
    turns: Vec<String>,
}

#[robust(persist = manager, timeout = "1s")]
async fn chat(state: &mut Chat, manager: &StateManager, user_id: &str) -> Result<(), Error> {
    state.turns.push(SECRET.to_owned());
    Ok(())
}

#[derive(Default, Serialize, Deserialize)]
struct Numbers {
    turns: Vec<u32>,
}

/// Its keys are lists, which JSON has no form for.
#[derive(Default, Serialize, Deserialize)]
struct Keyed {
    pairs: BTreeMap<Vec<String>, f64>,
}

/// All that an error says, through all its sources.
fn all_of(error: &Error) -> String {
    let mut text = format!("{error:?} {error:#?} {error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let _ = write!(text, " {error} {error:?}");
        source = error.source();
    }
    text
}

on_every_backend! {
    async fn nothing_that_is_shown_holds_a_states_contents(place: Place) {
        let manager = place.manager();
        chat(&manager, "alice").await.unwrap();
        let record = manager.backend().load_state(&key("alice")).await.unwrap().unwrap();
        assert!(std::str::from_utf8(&record.state).unwrap().contains(SECRET));
        let call = manager.begin::<Chat>(&key("alice")).await.unwrap();
        let shown = format!("{record:?} {record:#?} {call:?} {manager:?} {:?}", manager.backend());
        assert!(!shown.contains(SECRET), "{shown}");
        call.rollback().await;
        let loaded = manager.load_state::<Chat>(&key("alice")).await.unwrap();
        assert!(!format!("{loaded:?}").contains(SECRET));
    }

    async fn no_error_holds_a_states_contents(place: Place) {
        let manager = place.manager();
        manager.save_state(&key("value"), serde_json::json!({"turns": [SECRET]}), None).await.unwrap();
        // Read as the wrong type, with and without the name of its type in the way.
        let wrong = manager.load_state::<Numbers>(&key("value")).await.unwrap_err();
        let mut errors = vec![wrong];
        let pairs = [(vec![SECRET.to_owned()], 1.0)].into();
        errors.push(manager.save_state(&key("keyed"), Keyed { pairs }, None).await.unwrap_err());
        errors.push(manager.save_state(&key("value"), SECRET.to_owned(), None).await.unwrap_err());
        for error in errors {
            assert!(!all_of(&error).contains(SECRET), "{error:?}");
        }
    }
}

/// Writes down every event and span.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0.lock().unwrap(), "{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &SpanRecord<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn the_logs_hold_no_contents() {
    const TTL: Duration = Duration::from_millis(100);
    for place in Place::with_leases(TTL) {
        let log = Log::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        tracing::info!("the log is on");
        let manager = place.manager();
        chat(&manager, "alice").await.unwrap();
        // A lease is lost, which is logged.
        let mut call = manager.begin::<Chat>(&key("alice")).await.unwrap();
        call.state.turns.push(SECRET.to_owned());
        std::thread::sleep(TTL * 2);
        let holder = cogency_state::Holder::current();
        let _taken = manager.backend().acquire_lease(&key("alice"), &holder).await.unwrap();
        tokio::time::sleep(TTL).await;
        call.commit().await.unwrap_err();
        let log = log.0.lock().unwrap().clone();
        assert!(log.contains("the log is on") && log.contains("lost"), "{log}");
        assert!(!log.contains(SECRET), "{log}");
    }
}
