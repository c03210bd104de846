//! Whether a type keeps all of what another program, or an older one, stored.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::read::from_json;
use super::strict;

/// Whether reading this JSON as a `T` and writing it again keeps all that is in it.
pub(crate) fn is_lossless<T: Serialize + DeserializeOwned>(json: &[u8]) -> bool {
    let Ok(state) = from_json::<T>(json) else { return false };
    let Ok(written) = strict::to_json(&state, usize::MAX, json.len()) else { return false };
    is_kept(json, &written)
}

/// First with all lists in their order. A set has another one each time that it is written:
/// therefore once more with all lists sorted.
fn is_kept(stored: &[u8], written: &[u8]) -> bool {
    let value = |json| serde_json::from_slice::<Value>(json).ok();
    let (Some(mut stored), Some(mut written)) = (value(stored), value(written)) else {
        return false;
    };
    if contains(&written, &stored) {
        return true;
    }
    sort_lists(&mut stored);
    sort_lists(&mut written);
    contains(&written, &stored)
}

/// Fields may be new, none may be missing: unless it is `null`, as which `None` is stored.
fn contains(written: &Value, stored: &Value) -> bool {
    match (written, stored) {
        (Value::Object(written), Value::Object(stored)) => stored.iter().all(|(name, stored)| {
            written.get(name).map_or(stored.is_null(), |written| contains(written, stored))
        }),
        (Value::Array(written), Value::Array(stored)) => {
            written.len() == stored.len()
                && written.iter().zip(stored).all(|(written, stored)| contains(written, stored))
        }
        _ => written == stored,
    }
}

/// Sorts all lists by their text, from the inside out.
fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(sort_lists);
            list.sort_by_cached_key(Value::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_lists),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::Deserialize;

    use super::*;

    fn kept(stored: &str, written: &str) -> bool {
        is_kept(stored.as_bytes(), written.as_bytes())
    }

    #[test]
    fn fields_may_be_new_but_not_missing_at_any_depth() {
        assert!(kept(r#"{"a":[{"b":1}]}"#, r#"{"new":0,"a":[{"c":2,"b":1}]}"#));
        assert!(!kept(r#"{"a":[{"b":1,"c":2}]}"#, r#"{"a":[{"b":1}]}"#));
        assert!(!kept(r#"{"a":{}}"#, "{}"));
    }

    #[test]
    fn a_null_may_be_missing_but_not_become_something() {
        assert!(kept(r#"{"a":null}"#, "{}"));
        assert!(!kept(r#"{"a":null}"#, r#"{"a":0}"#));
        assert!(!kept(r#"{"a":0}"#, r#"{"a":null}"#));
        assert!(!kept("[null]", "[]"));
    }

    #[test]
    fn the_elements_of_a_list_may_change_their_order_but_not_their_number() {
        assert!(kept(r#"[3,{"b":1},2]"#, r#"[{"a":0,"b":1},2,3]"#));
        assert!(kept("[[1,2],[3]]", "[[3],[2,1]]"));
        assert!(!kept("[1,2,2]", "[1,1,2]"));
        assert!(!kept("[1,2]", "[1,2,3]"));
        assert!(!kept("[1,2,3]", "[1,2]"));
    }

    #[test]
    fn numbers_are_exact() {
        assert!(kept("[0.1,18446744073709551615]", "[1e-1,18446744073709551615]"));
        assert!(!kept("9007199254740993", "9007199254740992"));
        assert!(!kept("1", "1.0"));
    }

    #[test]
    fn deep_lists_that_differ_take_no_time() {
        let nested = |leaf: &str| format!("{}{leaf}{}", "[".repeat(120), "]".repeat(120));
        assert!(!kept(&nested("1"), &nested("2")));
    }

    #[test]
    fn a_hash_set_is_kept_whatever_its_order() {
        #[derive(Serialize, Deserialize)]
        struct Tags {
            tags: HashSet<u32>,
            #[serde(default)]
            new: Option<String>,
        }
        let tags: Vec<u32> = (0..100).collect();
        let json = serde_json::json!({ "tags": tags }).to_string();
        assert!(is_lossless::<Tags>(json.as_bytes()));
        assert!(!is_lossless::<Tags>(br#"{"tags":[1],"old":true}"#));
    }
}
