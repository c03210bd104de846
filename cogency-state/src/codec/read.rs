//! From JSON to a state.

use serde::de::DeserializeOwned;

use super::Problem;
use super::explain::explain;

/// JSON that does not fit a state type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) Problem);

pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, Unfit> {
    // What is text as a whole need not be looked at text by text.
    let state = match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(json),
    };
    state.map_err(|error| Unfit(explain::<T>(json, &error)))
}
