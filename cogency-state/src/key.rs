//! The name of a state.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::Error;

/// The longest id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 1024;

/// The session of a state whose caller names none.
pub const DEFAULT_SESSION: &str = "default";

/// Names one state: whose it is, and which of their sessions.
///
/// Keys are exact: two keys that differ in any byte name two records, on every backend, whatever
/// characters they have. An id is 1 to [`MAX_ID_BYTES`] bytes long and has no NUL character.
///
/// ```
/// use cogency_state::StateKey;
///
/// let key = StateKey::new("alice", "holiday plans")?;
/// assert_eq!(key.user_id(), "alice");
/// assert_eq!(StateKey::for_user("alice")?.session_id(), "default");
/// assert!(StateKey::for_user("").is_err());
/// # Ok::<(), cogency_state::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// Both ids with a NUL between them, which no id has: as text it is as exact as the pair, it
    /// sorts as the pair does, and a copy is one count.
    text: Arc<str>,
    user_len: usize,
}

impl StateKey {
    /// The key of one session of a user.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] if an id is empty, longer than [`MAX_ID_BYTES`], or has a NUL.
    pub fn new(user_id: impl AsRef<str>, session_id: impl AsRef<str>) -> Result<Self, Error> {
        Self::of(&user_id.as_ref(), &session_id.as_ref())
    }

    /// The key of a user's default session.
    ///
    /// # Errors
    /// As [`StateKey::new`].
    pub fn for_user(user_id: impl AsRef<str>) -> Result<Self, Error> {
        Self::new(user_id, DEFAULT_SESSION)
    }

    /// The key of anything that can be shown as text.
    pub(crate) fn of<U, S>(user_id: &U, session_id: &S) -> Result<Self, Error>
    where
        U: fmt::Display + ?Sized,
        S: fmt::Display + ?Sized,
    {
        let mut text = String::with_capacity(64);
        // Writing to a string cannot fail.
        let _ = write!(text, "{user_id}");
        let user_len = text.len();
        let _ = write!(text, "\0{session_id}");
        let key = Self { text: text.into(), user_len };
        valid_id("user_id", key.user_id())?;
        valid_id("session_id", key.session_id())?;
        Ok(key)
    }

    /// Whose state it is.
    #[must_use]
    pub fn user_id(&self) -> &str {
        self.text.get(..self.user_len).unwrap_or_default()
    }

    /// Which of the user's sessions it is.
    #[must_use]
    pub fn session_id(&self) -> &str {
        self.text.get(self.user_len + 1..).unwrap_or_default()
    }
}

/// Refuses the ids that some backend could not keep exactly.
pub(crate) fn valid_id<'a>(part: &'static str, id: &'a str) -> Result<&'a str, Error> {
    let problem = if id.is_empty() {
        KeyProblem::Empty
    } else if id.len() > MAX_ID_BYTES {
        KeyProblem::TooLong { bytes: id.len() }
    } else if id.contains('\0') {
        KeyProblem::Nul
    } else {
        return Ok(id);
    };
    Err(Error::InvalidKey { part, problem })
}

/// Ids come from outside: quoted and escaped, they cannot forge a line of a log.
impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.user_id(), self.session_id())
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateKey({self})")
    }
}

/// Why an id cannot be part of a [`StateKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// It has no characters.
    Empty,
    /// It has more than [`MAX_ID_BYTES`] bytes.
    #[non_exhaustive]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It has a NUL character.
    Nul,
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { bytes } => {
                write!(f, "has {bytes} bytes, {MAX_ID_BYTES} are allowed")
            }
            Self::Nul => f.write_str("has a NUL character"),
        }
    }
}
