//! Typed, durable, version-checked state for AI agents.

mod backend;
mod codec;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod envelope;
mod error;
mod key;
mod manager;
#[doc(hidden)]
pub mod private;
mod record;

pub use backend::{
    Capabilities, Durability, FileBackend, Holder, Lease, LeaseAttempt, MemoryBackend, Opened,
    Sharing, StateBackend, Write,
};
pub use error::{BoxError, Error};
pub use key::{DEFAULT_SESSION, KeyProblem, MAX_ID_BYTES, StateKey};
pub use manager::{Call, Loaded, StateManager, StateManagerBuilder};
pub use record::{Checksum, Metadata, Record, Revision, SCHEMA_VERSION, SavedAt, WriteId};

pub use cogency_state_macros::robust;
