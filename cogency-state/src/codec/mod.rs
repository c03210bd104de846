//! Between a Rust state and its JSON: nothing that could not come back is let out.

mod document;
mod explain;
mod lossless;
mod path;
mod read;
mod strict;

use std::any::{Any, TypeId, type_name};
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blob::{Blob, Origin, collecting, reading};
use crate::record::Checksum;

pub(crate) use document::{Document, has_long_integer};
pub(crate) use lossless::is_lossless;
pub(crate) use read::Unfit;

/// Why something does not fit, and where in the state: without any of its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// A state whose type is forgotten, so that everything behind it is compiled once.
pub(crate) trait AnyState: Any + Send {
    /// The full path of the type, as [`type_name`] gives it.
    fn type_name(&self) -> &'static str;

    /// Writes the state, unless that takes more than `limit` bytes. It probably takes about
    /// `guess`. `origin` is where its blobs are stored with it; with none their bytes are written
    /// too.
    fn encode(
        &self,
        limit: usize,
        guess: usize,
        origin: Option<&Origin>,
    ) -> Result<Encoded, NotEncoded>;
}

/// A state that was written, and read back to prove that it can be.
pub(crate) struct Encoded {
    pub(crate) json: Bytes,
    pub(crate) checksum: Checksum,
    /// The blobs that it names.
    pub(crate) blobs: Vec<Blob>,
    /// What reading `json` gave: just what the next call would load.
    pub(crate) read_back: Box<dyn AnyState>,
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("bytes", &self.json.len()).finish_non_exhaustive()
    }
}

/// Why a state was not written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotEncoded {
    /// It takes more bytes than were allowed.
    OverLimit,
    /// It could not come back.
    Refused(Problem),
}

impl<T: Serialize + DeserializeOwned + Send + 'static> AnyState for T {
    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn encode(
        &self,
        limit: usize,
        guess: usize,
        origin: Option<&Origin>,
    ) -> Result<Encoded, NotEncoded> {
        let write = || strict::to_json(self, limit, guess);
        let (json, blobs) = match origin {
            Some(_) => collecting(write),
            None => (write(), Vec::new()),
        };
        let json = json?;
        let read_back = reading(origin.cloned(), || read::from_json::<T>(&json));
        let read_back = read_back.map_err(|unfit| {
            let reason =
                format!("it can be written as JSON but not read again: {}", unfit.0.reason);
            NotEncoded::Refused(Problem { path: unfit.0.path, reason })
        })?;
        let checksum = Checksum::of(&json);
        Ok(Encoded { json: json.into(), checksum, blobs, read_back: Box::new(read_back) })
    }
}

/// What can be done with a state type. Function pointers, made where the type is known, so that
/// what uses them need not repeat the bounds.
pub(crate) struct Codec<T> {
    pub(crate) untyped: Untyped,
    pub(crate) read: Read<T>,
    pub(crate) restore: fn(Box<dyn AnyState>) -> Option<T>,
}

/// Reads a state from its JSON.
pub(crate) type Read<S> = fn(&[u8]) -> Result<S, Unfit>;

/// The part of a [`Codec`] that can go to another thread whatever the state type is.
#[derive(Clone, Copy)]
pub(crate) struct Untyped {
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) read: Read<Box<dyn AnyState>>,
    /// Whether reading this JSON and writing it again loses nothing.
    pub(crate) is_lossless: fn(&[u8]) -> bool,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Codec<T> {
    pub(crate) const fn new() -> Self {
        Self {
            untyped: Untyped {
                type_id: TypeId::of::<T>,
                type_name: type_name::<T>,
                read: |json| Ok(Box::new(read::from_json::<T>(json)?)),
                is_lossless: is_lossless::<T>,
            },
            read: read::from_json::<T>,
            restore: |erased| {
                let any: Box<dyn Any> = erased;
                any.downcast().ok().map(|state| *state)
            },
        }
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec<{}>", (self.untyped.type_name)())
    }
}
