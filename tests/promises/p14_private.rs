//! 14. Private: contents never appear in errors, logs or Debug.
//!
//! What belongs to files (modes, links) is in `file_crash`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use cogency_state::{Error, StateManager, robust};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Metadata, Subscriber};

use crate::places::{Place, key, on_every_backend, store, take_over};

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

/// A map whose keys are secrets that would forge a line of a log.
type Scores = BTreeMap<String, Vec<f64>>;

const HOSTILE: &str = "hunter2\n\u{1b}[31mERROR forged";

/// Its keys are lists, which JSON has no form for.
#[derive(Default, Serialize, Deserialize)]
struct Keyed {
    pairs: BTreeMap<Vec<String>, f64>,
}

/// Says in its errors what it holds: when it is written if told so, and whenever it is read.
#[derive(Default)]
struct Talkative {
    text: String,
    when_written: bool,
}

impl Serialize for Talkative {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.when_written {
            return Err(serde::ser::Error::custom(format!("bad: {}", self.text)));
        }
        self.text.serialize(serializer)
    }
}

/// In the way that the first word of the text tells.
impl<'de> Deserialize<'de> for Talkative {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{Error, Unexpected};
        let text = String::deserialize(deserializer)?;
        Err(match text.split(' ').next() {
            Some("other") => D::Error::invalid_value(Unexpected::Other(&text), &"a role"),
            Some("expected") => D::Error::invalid_type(Unexpected::Unit, &text.as_str()),
            Some("variant") => D::Error::unknown_variant(&text, &[]),
            Some("field") => D::Error::unknown_field(&text, &[]),
            Some("missing") => D::Error::custom(format!("missing field `{text}`")),
            Some("type") => D::Error::custom(format!("invalid type: string, expected {text}")),
            _ => D::Error::custom(text),
        })
    }
}

const SAID: [&str; 7] = ["other", "expected", "variant", "field", "missing", "type", "custom"];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    turns: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
enum Role {
    User,
}

/// Panics with what it holds.
#[derive(Default, Deserialize)]
struct Fuse(String);

impl Serialize for Fuse {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("{}", self.0)
    }
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

    async fn no_error_of_another_type_holds_a_states_contents(place: Place) {
        let manager = place.manager();
        chat(&manager, "alice").await.unwrap();
        let error = load::<Numbers>(&manager, "alice").await;
        assert!(matches!(error, Error::StateType { .. }), "{error}");
        assert_private(&error);
    }

    async fn no_error_of_a_save_holds_a_states_contents(place: Place) {
        let manager = place.manager();
        for text in [SECRET.to_owned(), large()] {
            let key = || text.clone() + HOSTILE;
            let scores = |score| Scores::from([(key(), vec![1.0, score])]);
            let error = save(&manager, scores(f64::NAN)).await;
            assert!(matches!(&error, Error::Encode { path, .. } if path == "{0}[1]"), "{error}");
            save(&manager, Keyed { pairs: [(vec![key()], 1.0)].into() }).await;
            save(&manager, Talkative { text: key(), when_written: true }).await;
            for said in SAID {
                let text = format!("{said} {}", key());
                save(&manager, BTreeMap::from([(key(), Talkative { text, when_written: false })])).await;
            }
        }
    }

    async fn no_error_of_a_load_holds_a_states_contents(place: Place) {
        let manager = place.manager();
        for (index, text) in [SECRET.to_owned(), large()].into_iter().enumerate() {
            let text = text + HOSTILE;
            let user_id = |name: &str| format!("{name} {index}");
            for said in SAID {
                let state = json!({ &text: [format!("{said} {text}")] });
                store(&manager, &user_id(said), state.to_string()).await;
                let error = load::<BTreeMap<String, Vec<Talkative>>>(&manager, &user_id(said)).await;
                assert!(matches!(&error, Error::Decode { path, .. } if path == "{0}[0]"), "{error}");
            }
            store(&manager, &user_id("value"), json!({"turns": [1, text]}).to_string()).await;
            let error = load::<Numbers>(&manager, &user_id("value")).await;
            assert!(matches!(&error, Error::Decode { path, .. } if path == "turns[1]"), "{error}");
            store(&manager, &user_id("key"), json!({ &text: text }).to_string()).await;
            load::<Scores>(&manager, &user_id("key")).await;
            load::<Numbers>(&manager, &user_id("key")).await;
            load::<Role>(&manager, &user_id("key")).await;
            load::<BTreeMap<u32, String>>(&manager, &user_id("key")).await;
            store(&manager, &user_id("text"), json!(text).to_string()).await;
            load::<Role>(&manager, &user_id("text")).await;
            load::<Numbers>(&manager, &user_id("text")).await;
            load::<u32>(&manager, &user_id("text")).await;
        }
    }

    async fn the_logs_hold_no_contents(place: Place) {
        let log = Log::of_all_threads();
        let manager = place.manager();
        chat(&manager, "alice").await.unwrap();
        load::<Numbers>(&manager, "alice").await;
        for text in [SECRET.to_owned(), large()] {
            save(&manager, Talkative { text: text.clone(), when_written: true }).await;
            let user_id = format!("unreadable {}", text.len());
            store(&manager, &user_id, json!({"turns": [text]}).to_string()).await;
            load::<Numbers>(&manager, &user_id).await;
            let manager = manager.clone();
            let saving = async move { manager.save_state(&key("panic"), Fuse(text), None).await };
            assert!(tokio::spawn(saving).await.unwrap_err().is_panic());
        }
        log.holds("the log is on").await;
        assert!(log.0.lock().unwrap().contains("a save ended"), "saves are not told");
        log.holds_no_secret();
    }
}

/// One that is read and written on the blocking pool.
fn large() -> String {
    SECRET.repeat(100_000)
}

/// An error that shows nothing of a state.
async fn save<T: Serialize + DeserializeOwned + Send + 'static>(
    manager: &StateManager,
    state: T,
) -> Error {
    let error = manager.save_state(&key("refused"), state, None).await.unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error}");
    assert_private(&error);
    error
}

/// An error that shows nothing of a state.
async fn load<T: Serialize + DeserializeOwned + Send + 'static>(
    manager: &StateManager,
    user_id: &str,
) -> Error {
    let error = manager.load_state::<T>(&key(user_id)).await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. } | Error::StateType { .. }), "{error}");
    assert_private(&error);
    error
}

#[track_caller]
fn assert_private(error: &Error) {
    assert!(!all_of(error).contains(SECRET), "{error:?}");
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
}

#[tokio::test]
async fn the_type_of_a_record_cannot_forge_a_line() {
    for place in Place::with_documents() {
        chat(&place.manager(), "alice").await.unwrap();
        let text = place.document("alice").replace("::Chat\"", r#"::Chat\n\u001b""#);
        let lines: Vec<_> = text.lines().filter(|line| !line.contains("\"checksum\"")).collect();
        place.put_document("alice", &lines.join("\n"));
        let error = load::<Chat>(&place.manager(), "alice").await;
        assert!(matches!(&error, Error::StateType { stored, .. } if stored.ends_with('\u{1b}')));
    }
}

/// Writes down every event and span.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    /// The one log of this process, for all its tests: those of this module alone know the secret.
    fn of_all_threads() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let log = LOG.get_or_init(|| {
            let log = Self::default();
            tracing::subscriber::set_global_default(log.clone()).unwrap();
            log
        });
        log.clone()
    }

    /// Whether it writes down what is said on any thread.
    async fn holds(&self, text: &'static str) {
        tokio::task::spawn_blocking(move || tracing::info!("{text}")).await.unwrap();
        assert!(self.0.lock().unwrap().contains(text));
    }

    fn holds_no_secret(&self) {
        let log = self.0.lock().unwrap().clone();
        assert!(!log.contains(SECRET), "{log}");
    }
}

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
async fn the_log_of_a_lost_lease_holds_no_contents() {
    const TTL: Duration = Duration::from_millis(100);
    for (number, place) in Place::with_leases(TTL).into_iter().enumerate() {
        let user_id = &*format!("loser {number}");
        let log = Log::of_all_threads();
        let manager = place.manager();
        let mut call = manager.begin::<Chat>(&key(user_id)).await.unwrap();
        call.state.turns.push(SECRET.to_owned());
        let _taken = take_over(&place, &key(user_id));
        // Until its next renewal tells.
        let begun = Instant::now();
        loop {
            let text = log.0.lock().unwrap().clone();
            if text.contains("a lease was lost") && text.contains(user_id) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{text}");
            tokio::time::sleep(TTL).await;
        }
        assert_private(&call.commit().await.unwrap_err());
        log.holds_no_secret();
    }
}
