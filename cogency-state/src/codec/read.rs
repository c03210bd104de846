//! From JSON to a state.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use super::path::path_to;
use super::{Problem, strict};

/// JSON that does not fit a state type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) Problem);

pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, Unfit> {
    serde_json::from_slice(json).map_err(|error| Unfit(explain(json, &error)))
}

#[cold]
fn explain(json: &[u8], error: &serde_json::Error) -> Problem {
    let reason = without_contents(error);
    let path = path_to(json, error.line(), error.column());
    Problem { path, reason }
}

/// The message of a serde error without the value that it complains about.
///
/// The forms are those of `serde::de::Error`: `invalid type: string "secret", expected u32`. What
/// a type's own `Deserialize` says is not known to be free of contents and is left out.
fn without_contents(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" at {place}")).unwrap_or(&text);
    if error.classify() != Category::Data {
        return format!("it is not JSON that can be read: {text} at {place}");
    }
    let what = if text.starts_with("missing field ") || text.starts_with("duplicate field ") {
        text.to_owned()
    } else if let Some(found) = text.strip_prefix("invalid type: ") {
        format!("invalid type: {}", kinds(found))
    } else if let Some(found) = text.strip_prefix("invalid value: ") {
        format!("invalid value: {}", kinds(found))
    } else if text.starts_with("invalid length ") {
        "invalid length".to_owned()
    } else if text.starts_with("unknown variant ") {
        "unknown variant".to_owned()
    } else if text.starts_with("unknown field ") {
        "unknown field".to_owned()
    } else {
        "the type's own `Deserialize` refused it".to_owned()
    };
    format!("{what} at {place}")
}

/// `string "secret", expected u32` -> `string, expected u32`
fn kinds(found: &str) -> String {
    let kind = found.split(['"', '`', ',']).next().unwrap_or_default().trim_end();
    match found.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}, expected {expected}"),
        None => kind.to_owned(),
    }
}

/// Whether reading this JSON as a `T` and writing it again gives the same JSON.
pub(crate) fn is_lossless<T: Serialize + DeserializeOwned>(json: &[u8]) -> bool {
    let Ok(state) = from_json::<T>(json) else { return false };
    let Ok(written) = strict::to_json(&state, usize::MAX, json.len()) else { return false };
    is_same(json, &written)
}

/// The order of fields does not count.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let value = |json| serde_json::from_slice::<Value>(json).ok();
    value(one).is_some_and(|one| value(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Chat {
        turns: Vec<Turn>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Turn {
        words: u32,
    }

    fn problem(json: &str) -> Problem {
        from_json::<Chat>(json.as_bytes()).unwrap_err().0
    }

    #[test]
    fn a_wrong_type_is_named_with_its_path_and_without_the_value() {
        let found = problem(r#"{"turns":[{"words":1},{"words":"se`cr, expected\"et"}]}"#);
        assert_eq!(found.path, "turns[1].words");
        assert!(found.reason.starts_with("invalid type: string, expected u32"), "{found:?}");
    }

    #[test]
    fn a_number_out_of_range_is_not_quoted() {
        let found = problem(r#"{"turns":[{"words":-4711}]}"#);
        assert!(found.reason.starts_with("invalid value: integer, expected u32"), "{found:?}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let found = problem(r#"{"turns":[{"words":1},{"letters":2}]}"#);
        assert!(found.reason.starts_with("missing field `words`"), "{found:?}");
        assert_eq!(found.path, "turns[1]");
        assert_eq!(problem("{}").path, ".");
    }

    #[test]
    fn broken_json_says_where_it_breaks() {
        let found = problem(r#"{"turns":["#);
        assert!(found.reason.contains("EOF while parsing"), "{found:?}");
    }

    #[test]
    fn trailing_characters_are_refused() {
        assert!(problem(r#"{"turns":[]} x"#).reason.contains("trailing characters"));
    }

    #[test]
    fn the_words_of_a_custom_deserialize_are_left_out() {
        #[derive(Debug)]
        struct Strange;
        impl<'de> Deserialize<'de> for Strange {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Err(serde::de::Error::custom(format!("strange: {text}")))
            }
        }
        let found = from_json::<Strange>(br#""secret""#).unwrap_err().0;
        assert!(!found.reason.contains("secret"), "{found:?}");
    }
}
