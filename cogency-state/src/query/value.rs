//! What fields are compared with.

use std::fmt;
use std::time::SystemTime;

use serde_json::Number;

/// What a [`Field`](super::Field) is compared with: made of the types of Rust by `into()`.
///
/// Shown, it tells only its kind: it may be a secret, as states are.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// JSON's `null`; of a column, that it holds nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A moment, for [`saved_at`](super::saved_at) and [`expires_at`](super::expires_at). Whole
    /// microseconds count.
    Time(SystemTime),
    /// NaN or infinite: nothing is equal to it, and a query that has it is refused.
    NotANumber,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "<null>",
            Self::Bool(_) => "<bool>",
            Self::Number(_) => "<number>",
            Self::Text(_) => "<text>",
            Self::Time(_) => "<time>",
            Self::NotANumber => "<not a number>",
        })
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<SystemTime> for Value {
    fn from(time: SystemTime) -> Self {
        Self::Time(time)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Number::from_f64(number).map_or(Self::NotANumber, Self::Number)
    }
}

macro_rules! from_whole_numbers {
    ($($type:ty),*) => {$(
        impl From<$type> for Value {
            fn from(number: $type) -> Self {
                Self::Number(number.into())
            }
        }
    )*};
}

from_whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
