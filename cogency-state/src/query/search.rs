//! A query as a backend gets it, and what it gives back.

use std::time::SystemTime;

use super::field::Field;
use super::filter::Filter;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

/// One page of a query: what [`StateBackend::find_states`](crate::StateBackend::find_states) is
/// asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Search {
    /// Which states.
    pub filter: Filter,
    /// In which order; states that are alike in all of these are ordered by key, in the direction
    /// of the last.
    pub order: Vec<OrderBy>,
    /// Whether the states themselves are wanted.
    pub with_states: bool,
    /// How many at most.
    pub limit: usize,
    /// Only those behind this place.
    pub after: Option<Position>,
}

/// One part of an order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OrderBy {
    /// By what.
    pub field: Field,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl OrderBy {
    /// By a field.
    #[must_use]
    pub fn new(field: Field, descending: bool) -> Self {
        Self { field, descending }
    }
}

impl Search {
    /// The first so many states that are meant, by key.
    #[must_use]
    pub fn new(filter: Filter, limit: usize) -> Self {
        Self { filter, order: Vec::new(), with_states: false, limit, after: None }
    }

    /// Refuses what no backend could answer.
    ///
    /// # Errors
    /// [`Error::Config`] with what is wrong.
    pub fn check(&self) -> Result<(), Error> {
        super::check::filter(&self.filter)?;
        super::check::order(&self.order)
    }
}

/// A place in an ordered result: that of one row. It means something only to the backend that gave
/// it, for the same query.
#[derive(Clone, Debug, PartialEq)]
pub struct Position(Vec<Part>);

impl Position {
    /// The place of a row, as a backend tells it from others.
    #[must_use]
    pub fn new(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// What the backend said.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// One part of a position.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
}

/// Parts may be of states.
impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("_")
    }
}

/// One page of a result.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    /// The rows. One that cannot be read is an error in its place.
    pub rows: Vec<Result<Hit, Error>>,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<Position>,
}

impl Page {
    /// A page.
    #[must_use]
    pub fn new(rows: Vec<Result<Hit, Error>>, next: Option<Position>) -> Self {
        Self { rows, next }
    }
}

/// One row of a page.
#[derive(Debug)]
#[non_exhaustive]
pub struct Hit {
    /// What is known.
    pub found: Found,
    /// The record, if states were wanted.
    pub record: Option<Record>,
}

impl Hit {
    /// A row.
    #[must_use]
    pub fn new(found: Found, record: Option<Record>) -> Self {
        Self { found, record }
    }
}

/// What a query found: everything that is known about a state but the state itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// Whose state it is, and which.
    pub key: StateKey,
    /// Which save made it.
    pub revision: Revision,
    /// The Rust type of the state, where it is known.
    pub state_type: Option<String>,
    /// What is known about the state.
    pub metadata: Metadata,
    /// When it was saved, by the backend's clock.
    pub saved_at: SystemTime,
    /// Which process saved it, and on which host, as the backend noted it.
    pub saved_by: String,
    /// When it expires, if it does.
    pub expires_at: Option<SystemTime>,
}

impl Found {
    /// What is known of a record, and of the save that made it.
    #[must_use]
    pub fn new(
        record: &Record,
        saved_at: SystemTime,
        saved_by: String,
        expires_at: Option<SystemTime>,
    ) -> Self {
        Self {
            key: record.key.clone(),
            revision: record.revision,
            state_type: record.state_type.as_deref().map(str::to_owned),
            metadata: record.metadata.clone(),
            saved_at,
            saved_by,
            expires_at,
        }
    }
}
