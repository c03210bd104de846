//! From JSON to a state.

use serde::de::DeserializeOwned;

use super::Problem;
use super::explain::explain;

/// JSON that does not fit a state type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) Problem);

pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, Unfit> {
    serde_json::from_slice(json).map_err(|error| Unfit(explain::<T>(json, &error)))
}
