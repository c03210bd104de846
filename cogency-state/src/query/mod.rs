//! Questions about many states: which ones, in which order.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use cogency_state::query::{model, saved_at, state, user};
//!
//! let last_week = SystemTime::now() - Duration::from_secs(7 * 24 * 60 * 60);
//! let failed = user().eq("alice")
//!     .and(model().eq("gpt-5"))
//!     .and(saved_at().ge(last_week))
//!     .and(state("$.stop_reason").eq("error"));
//! ```
//!
//! [`StateManager::query`](crate::StateManager::query) runs them, on the backends whose
//! [`Capabilities::queries`](crate::Capabilities::queries) says so.
//!
//! # What it means, on every backend
//! - A condition is true or false of a state, never unknown: `not` gives exactly all others.
//! - **Types** never mix: `1` is not `"1"`, and nothing of another type is less or greater.
//!   `ne(value)` is `eq(value).not()`, so it holds of what is missing too.
//! - **Numbers** compare as mathematics has it, whether they are written as whole numbers or with a
//!   fraction: `1` is `1.0`, and 2^53 is less than 2^53 + 1. (SQLite reads a fraction with an
//!   exponent beyond ±22 with an error in its last digit: there two of them that differ only in
//!   that may be equal.)
//! - **Texts** compare by the numbers of their characters in Unicode, as Rust's do, without a
//!   language, and with each space. `\u0000` is a character as any other.
//! - **Missing** is not **null**: a path that leads nowhere is missing; so is a column that holds
//!   nothing, such as the phase of a function that has none. `exists()` tells them apart;
//!   `eq(Value::Null)` holds of JSON's null, and of a column that holds nothing. An element `[0]`
//!   of what is no array is missing.
//! - **Arrays and objects** are equal to nothing. `contains` looks at the elements of an array, not
//!   at what is nested in these.
//! - **Order**: what is missing comes first, then null, false, true, numbers, texts, arrays,
//!   objects; the latter two are all alike. States that are alike come in the order of their keys,
//!   as `StateKey` has it, and in the direction of the last field. Texts that begin with the same
//!   80 characters may come in any order, but one that stays the same.
//! - **Expired** states are not found, as nowhere else.
//! - If an object has a name twice it is not said which counts.
//! - A state that somebody damaged is an error in its place in the result; its conditions see what
//!   is still JSON in it. On MariaDB, which reads JSON no deeper than 32 levels, conditions on a
//!   state that is nested deeper find nothing in it.

mod check;
mod evaluate;
mod field;
mod filter;
mod number;
mod path;
mod search;
mod value;

pub use self::evaluate::{Candidate, compare};
pub use self::field::{
    Field, expires_at, metadata, model, phase, provider, saved_at, saved_by, session, state,
    state_type, user, version,
};
pub use self::filter::Filter;
pub use self::search::{Found, Hit, OrderBy, Page, Part, Position, Search};
pub use self::value::Value;

pub(crate) use self::check::filter as check_filter;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) use self::path::Step;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) use self::{
    evaluate::{micros, time},
    field::{Column, Document, Of},
    filter::{Comparison, Node},
    number::Exact,
    path::Path,
};
