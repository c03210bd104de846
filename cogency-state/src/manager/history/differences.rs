//! What differs between two states, for people to read.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// One place in which two versions of a state differ.
///
/// Its text, as in `turns[12].content: "tea" -> "coffee"`, shows what the states hold; its `Debug`
/// output does not.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// Where it is, such as `turns[12].content`; `.` is the whole state.
    pub path: String,
    /// What was there; `None` if it was added.
    pub before: Option<Value>,
    /// What is there; `None` if it was removed.
    pub after: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, before, after } = self;
        match (before, after) {
            (None, Some(after)) => write!(f, "{path}: added {after}"),
            (Some(before), None) => write!(f, "{path}: removed {before}"),
            (Some(before), Some(after)) => write!(f, "{path}: {before} -> {after}"),
            (None, None) => write!(f, "{path}: nothing"),
        }
    }
}

/// States are private.
impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        f.debug_tuple("Difference").field(&self.path).field(&what).finish()
    }
}

/// What differs between two states.
pub(super) fn between(from: &[u8], to: &[u8]) -> Result<Vec<Difference>, serde_json::Error> {
    let (from, to) = (serde_json::from_slice(from)?, serde_json::from_slice(to)?);
    let mut found = Vec::new();
    compare(String::new(), &from, &to, &mut found);
    Ok(found)
}

fn compare(path: String, from: &Value, to: &Value, found: &mut Vec<Difference>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Value::Object(from), Value::Object(to)) => objects(&path, from, to, found),
        (Value::Array(from), Value::Array(to)) => arrays(&path, from, to, found),
        (from, to) => found.push(difference(path, Some(from), Some(to))),
    }
}

fn objects(
    path: &str,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    // By name: whether a map keeps its own order depends on what else is built into the program.
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    for name in names {
        match (from.get(name), to.get(name)) {
            (Some(before), Some(after)) => compare(field(path, name), before, after, found),
            (before, after) => found.push(difference(field(path, name), before, after)),
        }
    }
}

/// What both begin and end with is the same; what lies between is compared one by one.
fn arrays(path: &str, from: &[Value], to: &[Value], found: &mut Vec<Difference>) {
    let head = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let (from, to) = (from.get(head..).unwrap_or_default(), to.get(head..).unwrap_or_default());
    let tail = from.iter().rev().zip(to.iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, new) = (from.len() - tail, to.len() - tail);
    for at in 0..gone.max(new) {
        let element = format!("{path}[{}]", head + at);
        match (from.get(at).filter(|_| at < gone), to.get(at).filter(|_| at < new)) {
            (Some(before), Some(after)) => compare(element, before, after, found),
            (before, after) => found.push(difference(element, before, after)),
        }
    }
}

fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn difference(path: String, before: Option<&Value>, after: Option<&Value>) -> Difference {
    let path = if path.is_empty() { ".".to_owned() } else { path };
    Difference { path, before: before.cloned(), after: after.cloned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(from: &str, to: &str) -> Vec<String> {
        let found = between(from.as_bytes(), to.as_bytes()).unwrap();
        found.iter().map(Difference::to_string).collect()
    }

    #[test]
    fn it_says_what_was_added_removed_and_changed_and_where() {
        let from = r#"{"count":1,"old":true,"turns":[{"text":"a"},{"text":"b"}]}"#;
        let to = r#"{"count":2,"turns":[{"text":"a"},{"text":"c"},{"text":"d"}],"new":null}"#;
        assert_eq!(
            told(from, to),
            [
                "count: 1 -> 2",
                "new: added null",
                "old: removed true",
                "turns[1].text: \"b\" -> \"c\"",
                "turns[2]: added {\"text\":\"d\"}",
            ]
        );
    }

    #[test]
    fn what_is_put_in_front_does_not_change_what_follows() {
        assert_eq!(told("[1,2,3]", "[0,1,2,3]"), ["[0]: added 0"]);
        assert_eq!(told("[1,2,3]", "[1,3]"), ["[1]: removed 2"]);
        assert_eq!(told("1", "\"1\""), [".: 1 -> \"1\""]);
        assert!(told("{\"a\":[1.0]}", "{\"a\":[1.0]}").is_empty());
    }

    #[test]
    fn debug_output_does_not_show_states() {
        let found = between(b"{\"a\":\"hunter2\"}", b"{\"a\":\"hunter3\"}").unwrap();
        assert_eq!(format!("{found:?}"), "[Difference(\"a\", \"changed\")]");
    }
}
