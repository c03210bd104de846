//! What can happen to a state.

use std::fmt;

/// What happened to a state. In text, as in a database, it is its name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The next state was saved.
    Save,
    /// A state was begun anew in the place of one that another LLM wrote.
    Reset,
    /// A state came back that was there before: an earlier version, or one that was set aside.
    Restore,
    /// A copy of another key's state was saved.
    Fork,
    /// The state was deleted.
    Delete,
    /// The state was set aside, as it was: it could not be read, or made room for another one.
    Quarantine,
    /// Entries of the history were removed. The state is what it was.
    Prune,
    /// Something that this version of the library does not know.
    Other(String),
}

impl Event {
    /// Its name in text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Save => "save",
            Self::Reset => "reset",
            Self::Restore => "restore",
            Self::Fork => "fork",
            Self::Delete => "delete",
            Self::Quarantine => "quarantine",
            Self::Prune => "prune",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Event {
    fn from(name: &str) -> Self {
        match name {
            "save" => Self::Save,
            "reset" => Self::Reset,
            "restore" => Self::Restore,
            "fork" => Self::Fork,
            "delete" => Self::Delete,
            "quarantine" => Self::Quarantine,
            "prune" => Self::Prune,
            name => Self::Other(name.to_owned()),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
