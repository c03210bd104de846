//! A server that throws keys away when its memory is full is warned of.

use std::sync::{Arc, Mutex};

use cogency_state::RedisBackend;
use cogency_state_tests::redis::RedisServer;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the warnings of its thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Visit for Warnings {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{value:?}"));
    }
}

#[tokio::test]
async fn a_server_that_throws_keys_away_is_warned_of_and_no_other() {
    let server = RedisServer::start();
    let warnings = Warnings::default();
    let _kept = tracing::subscriber::set_default(warnings.clone());
    for policy in ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "noeviction"] {
        server.run::<()>(&["CONFIG", "SET", "maxmemory-policy", policy]);
        RedisBackend::connect(&server.url()).await.unwrap();
        let warned = warnings.take().iter().any(|text| text.contains("`noeviction`"));
        assert_eq!(warned, policy != "noeviction", "{policy}");
    }
}
