//! Queries, on SQLite, PostgreSQL and MariaDB alike.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod indexes;
mod meaning;
mod model;
mod pages;
#[path = "../database/places.rs"]
#[expect(dead_code, reason = "not all is needed here")]
mod places;
mod plans;
mod random;
mod refusals;

use cogency_state::{
    DatabaseBackend, Holder, Metadata, Opened, Record, Revision, StateBackend as _, StateKey,
    StateManager, Write,
};

fn key(user_id: &str, session_id: &str) -> StateKey {
    StateKey::new(user_id, session_id).unwrap()
}

/// A record to save.
#[derive(Clone, Debug)]
struct Sample {
    key: StateKey,
    state_type: Option<String>,
    metadata: Metadata,
    state: String,
}

impl Sample {
    fn new(key: StateKey, state: impl Into<String>) -> Self {
        Self { key, state_type: None, metadata: Metadata::now(), state: state.into() }
    }

    fn by(mut self, provider: &'static str, model: &'static str) -> Self {
        self.metadata.llm_provider = provider.into();
        self.metadata.llm_model = model.into();
        self
    }

    async fn save(&self, backend: &DatabaseBackend) {
        self.save_for(backend, None).await;
    }

    async fn save_for(&self, backend: &DatabaseBackend, ttl: Option<std::time::Duration>) {
        let opened = backend.acquire_and_load(&self.key, &Holder::current()).await.unwrap();
        let Opened::Acquired { lease, record } = opened else { panic!("{opened:?}") };
        let expected = record.map(|record| record.revision);
        let record = Record::new(
            self.key.clone(),
            Revision::after(expected),
            self.state_type.clone().map(Into::into),
            self.metadata.clone(),
            self.state.clone().into(),
        );
        let write = Write::new(record, expected).with_ttl(ttl);
        backend.save_and_release(&lease, &write).await.unwrap();
    }
}

/// The sessions of what a query finds, in its order.
async fn sessions(query: &cogency_state::Query) -> Vec<String> {
    let rows = query.rows().all().await.unwrap();
    rows.into_iter().map(|found| found.key.session_id().to_owned()).collect()
}

fn manager(backend: &DatabaseBackend) -> StateManager {
    StateManager::new(backend.clone())
}
