//! Typed, durable, version-checked state for AI agents.
//!
//! Put [`#[robust]`](macro@robust) on an async function: its state is loaded before the call and
//! saved after it.
//!
//! ```no_run
//! use cogency_state::robust;
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! struct Chat {
//!     turns: Vec<String>,
//! }
//!
//! #[robust(persist = "file")]
//! async fn chat(state: &mut Chat, user_id: &str, query: &str) -> Result<String, cogency_state::Error> {
//!     state.turns.push(query.to_owned());
//!     Ok(format!("turn {}", state.turns.len()))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cogency_state::Error> {
//! println!("{}", chat("alice", "hello").await?); // "turn 2" in the second run of the program
//! # Ok(())
//! # }
//! ```
//!
//! Three layers, each usable without the one above it:
//!
//! - [`#[robust]`](macro@robust) makes one call of a function one step of its state;
//! - [`StateManager`] loads and saves typed states by hand, over any backend;
//! - [`Blob`] keeps images and the like beside a state instead of in it;
//! - [`query`] asks for states by what is in them, in a database;
//! - [`StateBackend`] is the contract of a place that keeps [`Record`]s: [`MemoryBackend`],
//!   [`FileBackend`], `RedisBackend` and `DatabaseBackend` (cargo features), or one of your own,
//!   which the checks in `conformance` (another) try.
//!
//! What is promised, and how each promise is proven, stands in the
//! [README](https://github.com/cogency-state/cogency-state#guarantees-and-their-proofs).
//!
//! # Cargo features
//!
//! - `archive`: states that nobody touched for long, in files; `archive-s3`: in an object store.
//! - `conformance`: the suite for authors of backends. Not needed by a program that keeps states.
//! - `metrics`: counters, gauges and histograms of calls, loads, saves and the spool.
//! - `redis`: `RedisBackend`, for states that many processes and hosts share.
//! - `rig`, `async-openai`: what these clients call with is an [`Llm`].
//! - `sqlite`, `postgres`, `mysql`: `DatabaseBackend`, for states in a database.

mod agent_state;
#[cfg(feature = "archive")]
pub mod archive;
mod aside;
mod backend;
mod blob;
mod codec;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod disk;
mod envelope;
mod error;
mod expires_at;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod holder;
mod key;
mod manager;
mod observe;
mod percent;
#[doc(hidden)]
pub mod private;
pub mod query;
mod record;
mod rfc3339;
mod spool_problem;
#[cfg(any(feature = "redis", feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod to_its_end;

pub use agent_state::{AgentAction, AgentMessage, AgentState, Hypothesis, ToolOutcome};
pub use aside::{Aside, AsideId, AsideReason};
pub use backend::{
    Action, BlobBackend, Capabilities, Durability, FileBackend, HistoryBackend, KeyPage, Lease,
    LeaseAttempt, MemoryBackend, Opened, Sharing, StateBackend, Verified, Write,
};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use backend::{DatabaseBackend, DatabaseBackendBuilder, DatabasePool};
#[cfg(feature = "redis")]
pub use backend::{RedisBackend, RedisBackendBuilder, RedisDurability};
pub use blob::{Blob, BlobId, MAX_BLOB_BYTES, NoBlobId};
pub use error::{BoxError, Error};
pub use history::{
    Anchor as HistoryAnchor, Event, HistoryEntry, HistoryHash, HistoryRow, Moment, Retention,
};
pub use holder::Holder;
pub use key::{DEFAULT_SESSION, KeyProblem, MAX_ID_BYTES, StateKey};
pub use manager::{
    Call, CheckFailure, CheckReport, CurrentCall, Difference, Health, History, ImportOutcome,
    ImportReport, ImportedFile, Llm, LlmChange, LlmMatch, LlmMigration, LlmName, Loaded,
    Migrations, OnLlmChange, OnOutage, OnUnreadable, Outcome, Query, Resolution, Rows, Spooled,
    SpooledKind, StateManager, StateManagerBuilder, current, is_enabled, set_enabled, with_outcome,
};
pub use record::{Checksum, Metadata, Record, Revision, SCHEMA_VERSION, SavedAt, WriteId};
pub use spool_problem::SpoolProblem;

#[doc = include_str!("robust.md")]
pub use cogency_state_macros::robust;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/outages.md")]
struct Outages;

#[cfg(doctest)]
#[doc = include_str!("../../docs/media.md")]
struct Media;

#[cfg(doctest)]
#[doc = include_str!("../../docs/types.md")]
struct Types;

#[cfg(doctest)]
#[doc = include_str!("../../docs/history.md")]
struct Histories;

#[cfg(doctest)]
#[doc = include_str!("../../docs/queries.md")]
struct Queries;

#[cfg(all(doctest, feature = "archive"))]
#[doc = include_str!("../../docs/archive.md")]
struct Archives;

#[cfg(all(doctest, feature = "redis"))]
#[doc = include_str!("../../docs/redis.md")]
struct Redis;

#[cfg(all(doctest, any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
#[doc = include_str!("../../docs/databases.md")]
struct Databases;
