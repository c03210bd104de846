//! What can go wrong, and what to do about it.

mod making;
mod outage;
mod stopped;

use std::time::Duration;

use crate::blob::BlobId;
use crate::holder::Holder;
use crate::key::{KeyProblem, StateKey};
use crate::record::WriteId;
use crate::spool_problem::SpoolProblem;

pub(crate) use self::stopped::{PANICKED, stopped};

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a state was not loaded, saved, deleted or listed.
///
/// Every variant names the key and the backend that it is about where there is one, keeps its
/// source, and says what to do. No message, `Debug` output or source holds a state's contents or
/// a password. A `backend` is a [location](crate::StateBackend::location) such as
/// `file:/srv/agents`.
///
/// # Paths
/// A `path` leads from the state to the value that is meant: `turns[3].role` is the field `role`
/// of the fourth turn, `.` the whole state. The names in it are those of the type, its fields and
/// variants. The keys of a map are contents: its entries are counted, in the order in which they
/// are written. `rounds{0}[1]` is the second element of the first entry of `rounds`.
///
/// What serde buffers or treats as a map is shown so far as it can be told apart from contents:
/// the fields of a type with `#[serde(flatten)]` are counted, and the path into an untagged or
/// internally tagged enum ends at the enum.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A user or session id cannot name a state. Nothing was touched.
    #[error("{part} {problem}: give an id of 1 to 1024 bytes without NUL")]
    #[non_exhaustive]
    InvalidKey {
        /// Which id: `user_id` or `session_id`.
        part: &'static str,
        /// What is wrong with it.
        problem: KeyProblem,
    },

    /// Somebody else saved first. Nothing was overwritten.
    #[error(
        "{key} in {backend} is at version {found}, this save was made from version {expected} \
         (0: no record): load the state again and repeat the change"
    )]
    #[non_exhaustive]
    Conflict {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The version that the save was made from; 0 if it was to be the first.
        expected: u64,
        /// The version that is there; 0 if there is none. It can equal `expected` where the
        /// record was deleted and made anew in between.
        found: u64,
    },

    /// Another call held the key for as long as this one was ready to wait.
    #[error(
        "{key} in {backend} was held by {holder} for the {waited:?} that this call could wait: \
         try again, or allow more with `wait`"
    )]
    #[non_exhaustive]
    LeaseTimeout {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// How long this call waited.
        waited: Duration,
        /// Who held the key at the end.
        holder: Box<Holder>,
    },

    /// This call's lease went to somebody else while it ran. Nothing was saved.
    #[error(
        "the lease on {key} in {backend} was lost (fencing token {token} is no longer the \
         newest), nothing was saved: call again, and look for what paused this process or \
         removed its lock"
    )]
    #[non_exhaustive]
    LeaseLost {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The fencing token that was refused.
        token: u64,
    },

    /// The task that asks for this key holds it already.
    #[error(
        "this task is inside a call that holds {key} in {backend}: hand the state on as an \
         argument instead of calling a `#[robust]` function on the same key"
    )]
    #[non_exhaustive]
    Reentrant {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
    },

    /// A save or delete went out and its answer was lost: it may have happened.
    #[error(
        "it is not known whether {key} in {backend} was changed ({source}): load the state and \
         look before you repeat the call; a save that happened left the write id {}",
        .write_id.map_or_else(|| "(none: it was a delete)".to_owned(), |id| id.to_string())
    )]
    #[non_exhaustive]
    OutcomeUnknown {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The id that the record has if the save happened; `None` of a delete.
        write_id: Option<WriteId>,
        /// What hid the answer.
        source: BoxError,
    },

    /// What is stored cannot be read. It is left as it is, and no save replaces it.
    #[error(
        "the record of {key} in {backend} cannot be read ({reason}) and was left as it is: \
         restore it from a backup, or delete the state to begin anew"
    )]
    #[non_exhaustive]
    Corrupt {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// What is wrong, without any of the contents.
        reason: String,
    },

    /// What is stored has an envelope that this version of the library does not know.
    #[error(
        "the record of {key} in {backend} has schema version {found:?}, this program knows \
         {supported:?}, and was left as it is: upgrade cogency-state"
    )]
    #[non_exhaustive]
    SchemaVersion {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The version that is stored.
        found: String,
        /// The newest version that this library reads.
        supported: &'static str,
    },

    /// What is stored is a state of another Rust type. It is left as it is.
    #[error(
        "{key} in {backend} holds a {stored:?}, not a {expected:?}, and was left as it is: \
         give each state type a key of its own, for example with `session = ...`; for a type that \
         was renamed, its old name with `Migrations::was`"
    )]
    #[non_exhaustive]
    StateType {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The type that wrote the record.
        stored: String,
        /// The type that was to be loaded.
        expected: &'static str,
    },

    /// What is stored was saved by a program that has a newer version of the state's type. It is
    /// left as it is.
    #[error(
        "the record of {key} in {backend} is of version {found} of `{state_type}`, this program \
         knows version {supported}, and was left as it is: run the newer program"
    )]
    #[non_exhaustive]
    StateVersion {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The type that was to be loaded.
        state_type: &'static str,
        /// The version that is stored.
        found: u32,
        /// The version of this program.
        supported: u32,
    },

    /// What is stored is of an older version of the state's type, and a step on the way to today's
    /// is missing. It is left as it is.
    #[error(
        "the record of {key} in {backend} is of version {found} of `{state_type}` and was left as \
         it is: no migration leads on from version {from}, give one to `migrate`"
    )]
    #[non_exhaustive]
    NoMigration {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The type that was to be loaded.
        state_type: &'static str,
        /// The version that is stored.
        found: u32,
        /// The version from which there is no step.
        from: u32,
    },

    /// A step of a migration failed. What is stored is left as it is.
    ///
    /// The source is what the step said. A `serde_json::Error` in it is replaced: it quotes what it
    /// met.
    #[error(
        "the record of {key} in {backend} was left as it is: the migration of `{state_type}` from \
         version {from} failed ({source})"
    )]
    #[non_exhaustive]
    Migration {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The type that was to be loaded.
        state_type: &'static str,
        /// The version that the step starts from.
        from: u32,
        /// Why it failed.
        source: BoxError,
    },

    /// What is stored does not fit the state's type. It is left as it is.
    #[error(
        "the record of {key} in {backend} does not fit `{state_type}` at `{path}` ({reason}) and \
         was left as it is: give new fields a `#[serde(default)]`"
    )]
    #[non_exhaustive]
    Decode {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The type that was to be loaded.
        state_type: &'static str,
        /// Where in the state, such as `turns[3].role`: see [Paths](Self#paths).
        path: String,
        /// What is wrong, without any of the contents.
        reason: String,
    },

    /// Another LLM wrote what is stored, and the call is to refuse that. It is left as it is.
    #[error(
        "{stored} wrote the state of {key} in {backend}, this call is made with {given}, and \
         `on_llm_change` refuses that; it was left as it is: call with the LLM that wrote it, or \
         let `on_llm_change` be `reset`, `keep` or `migrate(..)`"
    )]
    #[non_exhaustive]
    OtherLlm {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The LLM that wrote it, as `provider/model`.
        stored: String,
        /// The one that the call is made with.
        given: String,
    },

    /// A state could not be made one of another LLM's. What is stored is left as it is.
    #[error(
        "the state of {key} in {backend}, which {stored} wrote, could not be migrated to {given} \
         ({source}) and was left as it is: see to the function of `on_llm_change`"
    )]
    #[non_exhaustive]
    LlmMigration {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The LLM that wrote it, as `provider/model`.
        stored: String,
        /// The one that the call is made with.
        given: String,
        /// What the migration said.
        source: BoxError,
    },

    /// The state cannot be written as JSON and read again. Nothing was saved.
    #[error(
        "the state of {key} (`{state_type}`) cannot be kept, at `{path}`: {reason}; nothing was \
         saved"
    )]
    #[non_exhaustive]
    Encode {
        /// The state.
        key: StateKey,
        /// Its type.
        state_type: &'static str,
        /// Where in the state, such as `rounds{0}[1]`: see [Paths](Self#paths).
        path: String,
        /// What is wrong, without any of the contents.
        reason: String,
    },

    /// An attempt ran longer than its `timeout`. Its changes are gone.
    #[error(
        "an attempt of `{function}` took longer than {after:?} and was stopped, its changes are \
         gone: allow more with `timeout`, or look for what it waited for"
    )]
    #[non_exhaustive]
    Timeout {
        /// The `#[robust]` function.
        function: &'static str,
        /// The time-out.
        after: Duration,
    },

    /// No history is kept there.
    #[error(
        "no history is kept in {backend}: leave out `history=off` or `without_history()`, or \
         keep the states where one is"
    )]
    #[non_exhaustive]
    NoHistory {
        /// Where the states are.
        backend: String,
    },

    /// The history does not have what was asked for. Nothing was changed.
    #[error(
        "the history of {key} in {backend} has no {wanted}: list it to see what it has; what was \
         pruned is gone"
    )]
    #[non_exhaustive]
    NoSuchVersion {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// What was asked for, such as `version 7`.
        wanted: String,
    },

    /// The history is not what was written: an entry was edited, removed or put in.
    #[error(
        "the history of {key} in {backend} is not what was written, from entry {sequence} on \
         ({reason}): find out who changed it, and compare with a backup"
    )]
    #[non_exhaustive]
    HistoryBroken {
        /// The state.
        key: StateKey,
        /// Where it is.
        backend: String,
        /// The first entry that is wrong.
        sequence: u64,
        /// What is wrong, without any of the contents.
        reason: String,
    },

    /// A blob is not stored where the state that names it is.
    #[error(
        "the blob {id} of {key} in {backend} is not there: it went when no version of the state \
         that is kept named it any more; put its bytes into the state again"
    )]
    #[non_exhaustive]
    BlobMissing {
        /// The state that it would be stored with.
        key: StateKey,
        /// Where that is.
        backend: String,
        /// The blob.
        id: BlobId,
    },

    /// A call with all its attempts took longer than its `deadline`. Its changes are gone.
    #[error(
        "a call of `{function}` took longer than {after:?} with all its attempts and was stopped, \
         its changes are gone: allow more with `deadline`, or look for what it waited for"
    )]
    #[non_exhaustive]
    Deadline {
        /// The `#[robust]` function.
        function: &'static str,
        /// The deadline.
        after: Duration,
    },

    /// A `persist` name or URL cannot be turned into a backend, or the backend cannot do what was
    /// asked of it, such as to let states expire. Nothing was touched.
    #[error("{reason}")]
    #[non_exhaustive]
    Config {
        /// What is wrong and what is legal; a URL appears without its password.
        reason: String,
    },

    /// There is no tokio runtime to work on.
    #[error("there is no tokio runtime here: call from inside `#[tokio::main]` or `block_on`")]
    NoRuntime,

    /// The backend could not do its work. A save that ends so did not happen.
    #[error("{backend} failed to {operation}{}: {source}", about(.key.as_ref()))]
    #[non_exhaustive]
    Backend {
        /// The state, where one is concerned.
        key: Option<StateKey>,
        /// Where it is.
        backend: String,
        /// What was being done, as in "failed to `save`".
        operation: &'static str,
        /// Whether it is out of reach, rather than unable: see [`is_outage`](Self::is_outage).
        is_outage: bool,
        /// Why it failed.
        source: BoxError,
    },

    /// The backend is out of reach, and the state could not be spooled either. Nothing was saved.
    #[error("{source}; nor could it be kept in the spool {spool}: {problem}; nothing was saved")]
    #[non_exhaustive]
    NotSpooled {
        /// The state.
        key: StateKey,
        /// The folder.
        spool: String,
        /// What is wrong with the spool.
        problem: SpoolProblem,
        /// The outage.
        source: Box<Error>,
    },
}

fn about(key: Option<&StateKey>) -> String {
    key.map_or_else(String::new, |key| format!(" {key}"))
}
