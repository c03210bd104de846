//! The suite on the Redis backend, with a server of this process's own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{RedisBackend, StateBackend, StateKey};
use cogency_state_tests::redis::{fresh_prefix, shared};

const TTL: Duration = Duration::from_secs(1);

struct Redis {
    prefix: String,
}

impl Redis {
    fn new() -> Self {
        Self { prefix: fresh_prefix() }
    }
}

#[async_trait]
impl Harness for Redis {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let builder = RedisBackend::builder(&shared().url()).prefix(&self.prefix).lease_ttl(TTL);
        Arc::new(builder.connect().await.unwrap())
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        self.open().await
    }

    /// Cuts the value in the middle.
    async fn damage(&self, key: &StateKey) -> bool {
        let name = format!("{}:state:{}:{}", self.prefix, key.user_id(), key.session_id());
        let value: String = shared().run(&["GET", &name]);
        shared().run::<()>(&["SET", &name, &value[..value.len() / 2]]);
        true
    }
}

cogency_state::conformance_tests!(Redis::new());
