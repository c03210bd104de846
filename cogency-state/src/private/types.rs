//! What the types of a `#[robust]` function have to be able to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::call::{BoxFuture, Call};
use crate::codec;
use crate::error::Error;

/// What a state type can do, made where the type is written, so that a missing trait is one error.
///
/// Function pointers to boxed futures: what they do is compiled once for each state type, and not
/// into every function that has such a state.
pub struct Codec<T> {
    pub(super) begin: for<'a> fn(&'a mut Call) -> BoxFuture<'a, Result<T, Error>>,
    pub(super) erase: fn(T) -> Box<dyn codec::AnyState>,
}

impl<T> Codec<T> {
    // The bounds stand on the function: as the block's, a missing trait would be "no function
    // `new`", with all the bounds in one message.
    // They are serde's own, not a trait of ours with a message: that would hide which type inside
    // the state lacks the derive. `Deserialize` says which derive to add, `DeserializeOwned` not.
    #[must_use]
    #[expect(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self
    where
        T: Default + Serialize + for<'de> Deserialize<'de> + Send + 'static,
    {
        Self {
            begin: |call| Box::pin(call.begin(codec::Codec::new(), T::default)),
            erase: |state| Box::new(state),
        }
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

/// What a function's return type can do.
#[diagnostic::on_unimplemented(
    message = "a `#[robust]` function returns a `Result<_, E>` with `E: From<cogency_state::Error>`",
    label = "`{Self}` cannot be made from a `cogency_state::Error`",
    note = "`cogency_state::Error` itself, `anyhow::Error`, `Box<dyn std::error::Error + Send + Sync>` \
            and any enum with `#[from] cogency_state::Error` will do for `E`"
)]
pub trait Fallible {
    /// What it fails with.
    type Error;
    /// The error, if it failed.
    fn failure(&self) -> Option<&Self::Error>;
    /// Whether the attempt succeeded.
    fn is_ok(&self) -> bool;
    /// The library's error as the function's.
    fn from_error(error: Error) -> Self;
}

// The message above speaks of the whole return type, which is what the user wrote.
#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Fallible for Result<T, E> {
    type Error = E;

    fn failure(&self) -> Option<&E> {
        self.as_ref().err()
    }

    fn is_ok(&self) -> bool {
        self.is_ok()
    }

    fn from_error(error: Error) -> Self {
        Err(error.into())
    }
}

/// What a return type can do, made where the type is written, so that a wrong one is one error.
#[derive(Debug)]
pub struct Returns<R> {
    is_ok: fn(&R) -> bool,
    from_error: fn(Error) -> R,
}

impl<R> Returns<R> {
    #[must_use]
    #[expect(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self
    where
        R: Fallible,
    {
        Self { is_ok: R::is_ok, from_error: R::from_error }
    }

    pub(super) fn succeeded(&self, out: &Result<R, Error>) -> bool {
        out.as_ref().is_ok_and(self.is_ok)
    }

    /// The library's error as the function's.
    #[must_use]
    pub fn error(&self, error: Error) -> R {
        (self.from_error)(error)
    }

    /// Whether what an attempt gave is worth another one, by `retry_if`.
    pub fn is_worth_it<P>(&self, out: &R, retry_if: P) -> bool
    where
        R: Fallible,
        P: FnOnce(&R::Error) -> bool,
    {
        out.failure().is_none_or(retry_if)
    }

    /// What an attempt gave, a time-out as the function's error.
    pub fn either(&self, out: Result<R, Error>) -> R {
        out.unwrap_or_else(|error| self.error(error))
    }
}

/// An argument that is taken by value, anew for each attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must implement `Clone` because of `retry`",
    label = "each attempt gets a clone of this argument",
    note = "take the argument by reference, or implement `Clone`"
)]
pub trait Reuse: Sized {
    /// The argument for one attempt.
    #[must_use]
    fn reuse(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Reuse for T {
    fn reuse(&self) -> Self {
        self.clone()
    }
}
