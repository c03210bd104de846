//! Why an archive did not do what it was asked for.

/// What is wrong, and what to do about it. Holds nothing of what is archived.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("its place cannot be used ({0}): see whether it is there, and who may write to it")]
    Store(#[from] object_store::Error),

    #[error("its folder cannot be made or opened ({0}): look at its permissions and its parent's")]
    Folder(#[from] std::io::Error),

    #[error("a file is damaged ({0}): restore it from a backup; no row was removed for it")]
    Damaged(&'static str),

    #[error(
        "what was read back of a file is not what was written: see what ails that place; no row was removed"
    )]
    NotTheSame,

    #[error("a state is no text, so it was left where it is")]
    NotText,

    #[error("a line or a manifest cannot be read or written as JSON ({0})")]
    NotJson(#[source] serde_json::Error),

    #[error("it is of version {0}, and this program knows 1: upgrade cogency-state")]
    OfTheFuture(u64),

    #[error(
        "it has two entries of one history in one place: databases that have keys in common need archives of their own"
    )]
    TwoHistories,

    #[error("a task of it was stopped")]
    Stopped,
}
