//! Settings of a manager.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::blobs::Blobs;
use super::llm::{Llm, LlmMatch, LlmName, OnLlmChange};
use super::migrations::Migrations;
use super::policies::{OnUnreadable, Policies};
use super::versions::OfTypes;
use super::warm::WarmStates;
use super::{Inner, StateManager, observed, outage};
use crate::backend::StateBackend;

const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_WARM_BYTES: usize = 64 << 20;

/// Settings of a [`StateManager`].
#[derive(Debug)]
pub struct StateManagerBuilder {
    pub(super) backend: Arc<dyn StateBackend>,
    pub(super) wait: Duration,
    pub(super) ttl: Option<Duration>,
    pub(super) warm_bytes: usize,
    pub(super) migrations: OfTypes,
    pub(super) policies: Policies,
    pub(super) is_enabled: bool,
    pub(super) outage: outage::Settings,
}

impl StateManagerBuilder {
    /// For a backend that is shared already.
    #[must_use]
    pub fn over(backend: Arc<dyn StateBackend>) -> Self {
        Self {
            backend,
            wait: DEFAULT_WAIT,
            ttl: None,
            warm_bytes: DEFAULT_WARM_BYTES,
            migrations: OfTypes::new(),
            policies: Policies::default(),
            is_enabled: true,
            outage: outage::Settings::default(),
        }
    }

    /// The LLM that calls are made with: its names are recorded with every save, and where another
    /// one wrote what is stored, [`on_llm_change`](Self::on_llm_change) says what happens. The
    /// `llm` of a `#[robust]` function counts more.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, StateManager};
    ///
    /// let manager = StateManager::builder(MemoryBackend::new()).llm("openai/gpt-5").build();
    /// ```
    #[must_use]
    pub fn llm(mut self, llm: impl Llm) -> Self {
        self.policies.llm = Some(LlmName::of(&llm));
        self
    }

    /// What happens when another LLM wrote what is stored: [`OnLlmChange::Reset`] unless told.
    #[must_use]
    pub fn on_llm_change(mut self, on_llm_change: OnLlmChange) -> Self {
        self.policies.on_llm_change = Some(on_llm_change);
        self
    }

    /// When two LLMs are the same one: [`LlmMatch::Model`] unless told.
    #[must_use]
    pub fn llm_match(mut self, llm_match: LlmMatch) -> Self {
        self.policies.llm_match = Some(llm_match);
        self
    }

    /// What happens to what a call cannot read: [`OnUnreadable::Refuse`] unless told.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, OnUnreadable, StateManager};
    ///
    /// let manager = StateManager::builder(MemoryBackend::new())
    ///     .on_unreadable(OnUnreadable::Quarantine)
    ///     .build();
    /// ```
    #[must_use]
    pub fn on_unreadable(mut self, on_unreadable: OnUnreadable) -> Self {
        self.policies.on_unreadable = Some(on_unreadable);
        self
    }

    /// Whether the manager is [switched on](StateManager::set_enabled), which it is unless told.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.is_enabled = enabled;
        self
    }

    /// The longest that a call waits for its key, 30 seconds unless told.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long after its last save a state expires, by the backend's clock; it stays unless told.
    /// The `ttl` of a `#[robust]` function counts more. An expired state is as if it had never
    /// been; one that a call is at work on does not expire before the call has ended.
    ///
    /// With a ttl of zero, or a backend that [cannot](crate::Capabilities::expiry), every call and
    /// save fails with [`Error::Config`](crate::Error::Config) before it begins.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use cogency_state::{MemoryBackend, StateManager};
    ///
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// let manager = StateManager::builder(MemoryBackend::new()).ttl(week).build();
    /// ```
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How many bytes of states, counted as JSON, stay in memory for their next call: 64 MiB
    /// unless told. With 0 every call reads its state anew.
    #[must_use]
    pub fn warm_bytes(mut self, bytes: usize) -> Self {
        self.warm_bytes = bytes;
        self
    }

    /// How older states of a type become those of today: for loads and saves by hand, and for
    /// `#[robust]` functions on this manager that say no `version`.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, Migrations, StateManager};
    ///
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Chat {
    ///     turns: Vec<String>,
    /// }
    ///
    /// let migrations = Migrations::new().step(1, |mut old| {
    ///     let lines = old.get_mut("lines").ok_or("it has no lines")?.take();
    ///     Ok(serde_json::json!({ "turns": lines }))
    /// });
    /// let manager =
    ///     StateManager::builder(MemoryBackend::new()).migrations::<Chat>(migrations).build();
    /// ```
    #[must_use]
    pub fn migrations<T: 'static>(mut self, migrations: Migrations) -> Self {
        self.migrations.insert(TypeId::of::<T>(), Arc::new(migrations));
        self
    }

    /// The manager.
    #[must_use]
    pub fn build(self) -> StateManager {
        let Self { backend, wait, ttl, warm_bytes, migrations, policies, is_enabled, outage } =
            self;
        let location = backend.location().into();
        let (listeners, outage) = (outage.listeners.clone(), outage.build(&*backend));
        let spool = outage.as_ref().map(outage::Outage::spool);
        let inner = Arc::new_cyclic(|manager| Inner {
            blobs: Arc::new(Blobs::new(Arc::clone(&backend), spool, manager.clone())),
            backend,
            location,
            wait,
            ttl,
            migrations,
            policies,
            is_enabled: AtomicBool::new(is_enabled),
            renewals: Arc::default(),
            warm: WarmStates::new(warm_bytes),
            outage,
            listeners,
        });
        let manager = StateManager { inner };
        observed::built();
        if let Some(outage) = &manager.inner.outage {
            outage.start(&manager);
        }
        manager
    }
}
