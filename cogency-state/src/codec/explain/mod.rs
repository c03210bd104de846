//! Why JSON does not fit a type, and where: without any of its contents.
//!
//! `serde_json`'s errors quote what they complain about, and its places are bytes, which cannot
//! tell a field's name from a map's key. So a document that did not fit is read once more, by a
//! [`Traced`] deserializer: it wraps `serde_json`'s, and everything that goes between it and the
//! type. Its errors, [`Told`], keep what is static; on their way back each level adds its step to
//! the path.
//!
//! What a type reads into a buffer first (flattened, untagged and internally tagged ones do) is
//! told as the place where the buffer began.

mod access;
mod told;
mod traced;
mod visitor;

use std::cell::Cell;
use std::fmt::Display;

use serde::de::{self, DeserializeOwned};
use serde_json::error::Category;

use self::told::{Told, Wanted};
use self::traced::Traced;
use super::Problem;
use super::path::Trail;

/// Explains the error that reading this JSON as a `T` ended in.
#[cold]
pub(super) fn explain<T: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> Problem {
    let notes = Notes::default();
    let mut inner = serde_json::Deserializer::from_slice(json);
    let told = T::deserialize(Traced { inner: &mut inner, notes: &notes }).err();
    let reason = if error.classify() == Category::Data {
        told.unwrap_or_else(Told::by_the_type).to_string()
    } else {
        // The parser's own words, of which none come from the document.
        format!("it is not JSON that can be read: {error}")
    };
    Problem { path: notes.trail.into_path(), reason }
}

/// What is written down on the way back from an error.
#[derive(Default)]
struct Notes {
    trail: Trail,
    told: Cell<Option<Told>>,
}

impl Notes {
    /// Puts an error aside, for `serde_json` to carry one of its own.
    fn hide<E: de::Error>(&self, told: Told) -> E {
        self.told.set(Some(told));
        E::custom("told apart")
    }

    /// Takes it out again; if there is none it was the parser's.
    fn reveal(&self, error: impl Display, wanted: Wanted) -> Told {
        self.told.take().unwrap_or_else(|| Told::by_the_parser(error).wanted(wanted))
    }
}

#[cfg(test)]
mod tests;
