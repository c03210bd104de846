//! A state on its way from one type to another: as text, or as a JSON value.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{NotEncoded, Problem, read, strict};
use crate::error::BoxError;

/// A state between two steps of a migration. Text stays text for as long as it can: a value does
/// not keep the order of its fields, and not every number.
pub(crate) enum Document {
    Json(Bytes),
    Value(Value),
}

/// Why a step could not take or give a state: without any of its contents.
#[derive(Debug, thiserror::Error)]
#[error("at `{path}`: {reason}")]
struct Misfit {
    path: String,
    reason: String,
}

impl From<Problem> for Misfit {
    fn from(Problem { path, reason }: Problem) -> Self {
        Self { path, reason }
    }
}

impl Document {
    /// What a type writes, strictly.
    pub(crate) fn of<T: Serialize>(state: &T) -> Result<Self, BoxError> {
        match strict::to_json(state, usize::MAX, 512) {
            Ok(json) => Ok(Self::Json(json.into())),
            Err(NotEncoded::Refused(problem)) => Err(Misfit::from(problem).into()),
            Err(NotEncoded::OverLimit) => Err("it takes more memory than there is".into()),
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, BoxError> {
        read::from_json(&self.into_json()?).map_err(|unfit| Misfit::from(unfit.0).into())
    }

    pub(crate) fn into_json(self) -> Result<Bytes, BoxError> {
        match self {
            Self::Json(json) => Ok(json),
            Self::Value(value) => Ok(serde_json::to_vec(&value)?.into()),
        }
    }

    pub(crate) fn into_value(self) -> Result<Value, BoxError> {
        match self {
            Self::Json(json) if has_long_integer(&json) => {
                Err("it has an integer beyond 64 bits, which a `Value` would round".into())
            }
            Self::Json(json) => Ok(serde_json::from_slice(&json)?),
            Self::Value(value) => Ok(value),
        }
    }
}

/// Whether JSON has an integer that a `Value` would keep as a rounded float.
pub(crate) fn has_long_integer(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
                let (number, after) = rest.split_at(end);
                if is_long_integer(number) {
                    return true;
                }
                after
            }
            _ => after,
        };
    }
    false
}

/// What follows a string whose opening quote has been passed.
fn after_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
            [] => return &[],
        };
    }
}

fn is_long_integer(number: &[u8]) -> bool {
    let is_integer = !number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    let fits = |text: &str| text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    is_integer && !std::str::from_utf8(number).is_ok_and(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_64_bits_are_found_wherever_they_stand() {
        for json in [
            "18446744073709551616",
            "[1,-9223372036854775809]",
            r#"{"a\"1":{"b":99999999999999999999}}"#,
        ] {
            assert!(has_long_integer(json.as_bytes()), "{json}");
            assert!(Document::Json(json.into()).into_value().is_err(), "{json}");
        }
    }

    #[test]
    fn what_a_value_keeps_exactly_is_no_long_integer() {
        let texts = r#"["18446744073709551616","\\","\"99999999999999999999",1]"#;
        let floats = "[1e300,0.12345678901234567,99999999999999999999.0,-0.0]";
        for json in [texts, floats, "18446744073709551615", "-9223372036854775808", "{}", r#""a"#] {
            assert!(!has_long_integer(json.as_bytes()), "{json}");
        }
    }
}
