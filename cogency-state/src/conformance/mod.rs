//! The suite that every backend passes.
//!
//! It puts each rule of [`StateBackend`](crate::StateBackend) to the test: by single checks, by
//! random sequences that are compared with a model, and by concurrent tasks whose history is
//! examined afterwards. Each check says what it found, what was due and when; what does not apply
//! to a backend is reported as such and not passed over.
//!
//! # Testing a backend of your own
//! Switch on the feature `conformance` where your tests are,
//!
//! ```toml
//! [dev-dependencies]
//! cogency-state = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! tell the suite how to get at the backend with a [`Harness`], and let
//! [`conformance_tests!`](crate::conformance_tests) make one test of each check. Here the backend
//! keeps its records in a map and locks nothing but that map. A server's would be the same, with
//! its commands in place of the map.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use async_trait::async_trait;
//! use cogency_state::conformance::{self, Harness};
//! use cogency_state::{
//!     Capabilities, Error, Holder, Lease, LeaseAttempt, Record, StateBackend, StateKey, Write,
//! };
//!
//! #[derive(Clone, Debug, Default)]
//! struct MapBackend(Arc<Mutex<BTreeMap<StateKey, Slot>>>);
//!
//! #[derive(Debug, Default)]
//! struct Slot {
//!     record: Option<Record>,
//!     token: u64,
//!     held: bool,
//! }
//!
//! /// Frees a lease when its last copy is dropped.
//! #[derive(Debug)]
//! struct Guard(MapBackend, StateKey, u64);
//!
//! impl Drop for Guard {
//!     fn drop(&mut self) {
//!         self.0.with_slot(&self.1, |slot| slot.held &= slot.token != self.2);
//!     }
//! }
//!
//! impl MapBackend {
//!     fn with_slot<R>(&self, key: &StateKey, act: impl FnOnce(&mut Slot) -> R) -> R {
//!         act(self.0.lock().unwrap().entry(key.clone()).or_default())
//!     }
//!
//!     fn fenced<R>(
//!         &self,
//!         lease: &Lease,
//!         act: impl FnOnce(&mut Slot) -> Result<R, Error>,
//!     ) -> Result<R, Error> {
//!         self.with_slot(lease.key(), |slot| {
//!             if slot.held && slot.token == lease.token() {
//!                 return act(slot);
//!             }
//!             Err(Error::lease_lost(lease.key(), self.location(), lease.token()))
//!         })
//!     }
//! }
//!
//! #[async_trait]
//! impl StateBackend for MapBackend {
//!     fn location(&self) -> &str {
//!         "map:"
//!     }
//!
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::none()
//!     }
//!
//!     async fn acquire_lease(&self, key: &StateKey, _: &Holder) -> Result<LeaseAttempt, Error> {
//!         let token = self.with_slot(key, |slot| {
//!             let free = !std::mem::replace(&mut slot.held, true);
//!             slot.token += u64::from(free);
//!             free.then_some(slot.token)
//!         });
//!         Ok(token.map_or(LeaseAttempt::Held(Holder::unknown()), |token| {
//!             let guard = Guard(self.clone(), key.clone(), token);
//!             LeaseAttempt::Acquired(Lease::new(key.clone(), token).with_guard(Arc::new(guard)))
//!         }))
//!     }
//!
//!     async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
//!         self.fenced(lease, |_| Ok(()))
//!     }
//!
//!     async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
//!         self.with_slot(lease.key(), |slot| slot.held &= slot.token != lease.token());
//!         Ok(())
//!     }
//!
//!     async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
//!         Ok(self.with_slot(key, |slot| slot.record.clone()))
//!     }
//!
//!     async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
//!         self.fenced(lease, |slot| {
//!             let found = slot.record.as_ref().map(|record| record.revision);
//!             if !write.may_replace(found) {
//!                 let version = |revision: Option<cogency_state::Revision>| {
//!                     revision.map_or(0, |revision| revision.version)
//!                 };
//!                 let (expected, found) = (version(write.expected), version(found));
//!                 return Err(Error::conflict(lease.key(), self.location(), expected, found));
//!             }
//!             slot.record = Some(write.record.clone());
//!             Ok(())
//!         })
//!     }
//!
//!     async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
//!         self.fenced(lease, |slot| Ok(slot.record.take().is_some()))
//!     }
//!
//!     async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
//!         StateKey::for_user(user_id)?;
//!         let slots = self.0.lock().unwrap();
//!         let keys = slots.iter().filter(|(_, slot)| slot.record.is_some()).map(|(key, _)| key);
//!         Ok(keys.filter(|key| key.user_id() == user_id).cloned().collect())
//!     }
//! }
//!
//! struct InOneProcess(MapBackend);
//!
//! #[async_trait]
//! impl Harness for InOneProcess {
//!     async fn open(&self) -> Arc<dyn StateBackend> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn restart(&self) -> Arc<dyn StateBackend> {
//!         Arc::new(MapBackend::default())
//!     }
//! }
//!
//! // In a file of your `tests` directory this is all: one test for each check.
//! mod map_backend {
//!     use super::*;
//!
//!     cogency_state::conformance_tests!(InOneProcess(MapBackend::default()));
//! }
//!
//! // The same as one report, wherever it is wanted.
//! # tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
//! # .block_on(async {
//! let report = conformance::run(&InOneProcess(MapBackend::default())).await;
//! println!("{report}");
//! report.assert_passed();
//! # });
//! ```
//!
//! # Settings
//! - `COGENCY_CONFORMANCE_CASES`: how many random sequences are compared with the model, 64
//!   unless set.
//! - `COGENCY_CONFORMANCE_SEED`: a whole number that they are made of; the same one gives the
//!   same sequences. A failure says which it was.

mod check;
mod checks;
mod concurrent;
mod harness;
mod history;
mod instance;
mod model;
mod report;
mod sample;
mod single;
mod trial;

pub use check::{Check, Failure, Outcome};
pub use checks::checks;
pub use harness::Harness;
pub use report::{Report, run};
#[doc(hidden)]
pub use single::test;
