//! The suite on the Redis backend, with a server and a cluster of this process's own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{BlobId, RedisBackend, RedisBackendBuilder, StateBackend, StateKey};
use cogency_state_tests::redis::{RedisServer, fresh_prefix, shared, shared_cluster, shared_tls};

const TTL: Duration = Duration::from_secs(1);

struct Redis {
    prefix: String,
    way: fn() -> RedisBackendBuilder,
    /// The server that has a key.
    server: fn(&str) -> &'static RedisServer,
}

impl Redis {
    fn by(way: fn() -> RedisBackendBuilder) -> Self {
        Self { prefix: fresh_prefix(), way, server: |_| shared() }
    }

    /// Also where each state is in its history.
    fn in_cluster() -> Self {
        Self {
            prefix: fresh_prefix(),
            way: || RedisBackend::builder(&shared_cluster().url()).whole_up_to(0),
            server: |name| shared_cluster().master_of(name),
        }
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
        let server = (self.server)(&name);
        let value: String = server.run(&["GET", &name]);
        server.run::<()>(&["SET", &name, &value[..value.len() / 2]]);
        true
    }

    async fn damage_blob(&self, key: &StateKey, id: BlobId) -> bool {
        let record = format!("{}:state:{}:{}", self.prefix, key.user_id(), key.session_id());
        let blobs = format!("{}:blobs:{{{record}}}", self.prefix);
        let server = (self.server)(&blobs);
        server.run::<()>(&["HSET", &blobs, &id.digits(), "eno"]);
        true
    }
}

mod plain {
    use super::*;

    cogency_state::conformance_tests!(Redis::by(|| RedisBackend::builder(&shared().url())));
}

/// Where each state is in its history.
mod in_history {
    use super::*;

    cogency_state::conformance_tests!(Redis::by(|| {
        RedisBackend::builder(&shared().url()).whole_up_to(0)
    }));
}

mod tls {
    use super::*;

    cogency_state::conformance_tests!(Redis::by(|| {
        let (url, certificate) = shared_tls();
        RedisBackend::builder(url).root_certificates(certificate.as_str())
    }));
}

mod cluster {
    use super::*;

    cogency_state::conformance_tests!(Redis::in_cluster());
}
