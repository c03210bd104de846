//! Futures are dropped at every await, with a pool of one connection: the next call works.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::{Harness, Outcome, checks};
use cogency_state::{StateBackend, StateKey};

use crate::places::Database;

struct OfOne {
    database: Database,
}

#[async_trait]
impl Harness for OfOne {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let builder = self.database.builder().pool_size(1).lease_ttl(Duration::from_secs(1));
        Arc::new(builder.connect().await.unwrap())
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        self.open().await
    }

    async fn damage(&self, _: &StateKey) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_dropped_at_every_await_leave_the_only_connection_usable() {
    for database in Database::each() {
        let harness = OfOne { database };
        let mut ran = 0;
        for check in checks().iter().filter(|check| check.name().contains("dropped")) {
            let outcome = check.run(&harness).await;
            let name = harness.database.name;
            assert!(!matches!(outcome, Outcome::Failed(_)), "{name} {}: {outcome:?}", check.name());
            ran += usize::from(matches!(outcome, Outcome::Passed));
        }
        assert!(ran >= 5, "only {ran} checks drop futures");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_the_only_connection() {
    for database in Database::each() {
        let harness = OfOne { database };
        let backend = harness.open().await;
        let manager = cogency_state::StateManagerBuilder::over(backend).build();
        let calls: Vec<_> = (0..32)
            .map(|number| {
                let manager = manager.clone();
                tokio::spawn(async move {
                    let key = crate::key(&format!("user-{number}"));
                    let mut call = manager.begin::<u32>(&key).await.unwrap();
                    call.state += 1;
                    call.commit().await.unwrap();
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }
}
