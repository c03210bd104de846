//! The suite on the Redis backend, with a server of this process's own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{RedisBackend, RedisBackendBuilder, StateBackend, StateKey};
use cogency_state_tests::redis::{fresh_prefix, shared, shared_tls};

const TTL: Duration = Duration::from_secs(1);

struct Redis {
    prefix: String,
    way: fn() -> RedisBackendBuilder,
}

impl Redis {
    fn by(way: fn() -> RedisBackendBuilder) -> Self {
        Self { prefix: fresh_prefix(), way }
    }
}

#[async_trait]
impl Harness for Redis {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let builder = (self.way)().prefix(&self.prefix).lease_ttl(TTL);
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

mod plain {
    use super::*;

    cogency_state::conformance_tests!(Redis::by(|| RedisBackend::builder(&shared().url())));
}

mod tls {
    use super::*;

    cogency_state::conformance_tests!(Redis::by(|| {
        let (url, certificate) = shared_tls();
        RedisBackend::builder(url).root_certificates(certificate.as_str())
    }));
}
