use std::collections::BTreeMap;

use serde::ser::Error as _;
use serde_json::{Value, json};

use super::*;

#[derive(serde::Serialize)]
struct Scores {
    name: &'static str,
    by_round: BTreeMap<String, Vec<Option<f64>>>,
}

fn refusal<T: Serialize>(state: &T) -> Problem {
    match to_json(state, usize::MAX, 0) {
        Err(NotEncoded::Refused(problem)) => problem,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_it_writes_is_what_serde_json_writes() {
    let value = json!({"a": [1, -2.5, null, true, "\u{0}é"], "b": {"c": [[], {}]}, "d": 1e300});
    let strict = to_json(&value, usize::MAX, 0).unwrap();
    assert_eq!(strict, serde_json::to_vec(&value).unwrap());
}

#[test]
fn nan_deep_inside_is_refused_with_its_path() {
    let by_round = BTreeMap::from([("one".to_owned(), vec![Some(1.0), None, Some(f64::NAN)])]);
    let problem = refusal(&Scores { name: "alice", by_round });
    assert_eq!(problem.path, "by_round{0}[2]");
    assert_eq!(problem.reason, NOT_FINITE);
}

#[test]
fn some_of_what_is_written_as_null_is_refused_with_its_path() {
    #[derive(serde::Serialize)]
    struct Unit;
    #[derive(serde::Serialize)]
    struct Wrapped(Option<u32>);
    #[derive(serde::Serialize)]
    struct Limits {
        #[expect(clippy::option_option)]
        limit: Option<Option<u32>>,
    }
    let found = refusal(&vec![Limits { limit: Some(Some(1)) }, Limits { limit: Some(None) }]);
    assert_eq!((found.path.as_str(), found.reason.as_str()), ("[1].limit", SOME_NULL));
    let raw = |json: &str| serde_json::value::RawValue::from_string(json.to_owned()).unwrap();
    for reason in [
        refusal(&Some(())).reason,
        refusal(&Some(Unit)).reason,
        refusal(&Some(Wrapped(None))).reason,
        refusal(&Some(Value::Null)).reason,
        refusal(&Some(raw("null"))).reason,
    ] {
        assert_eq!(reason, SOME_NULL);
    }
    assert_eq!(refusal(&[Some(raw("null"))]).path, "[0]");
    let kept = (Some(json!([null])), (), Value::Null, Some("null"), Some(raw("\"null\"")));
    let json = to_json(&(kept, raw("null")), usize::MAX, 0).unwrap();
    assert_eq!(json, br#"[[[null],null,null,"null","null"],null]"#);
}

#[test]
fn the_variants_of_enums_are_part_of_the_path() {
    #[derive(serde::Serialize)]
    enum Turn {
        One(f64),
        Two(f64, f64),
        Named { score: f64 },
    }
    assert_eq!(refusal(&[Turn::One(f64::NAN)]).path, "[0].One");
    assert_eq!(refusal(&[Turn::Two(1.0, f64::NAN)]).path, "[0].Two[1]");
    assert_eq!(refusal(&[Turn::Named { score: f64::NAN }]).path, "[0].Named.score");
}

#[test]
fn the_keys_of_maps_are_counted_and_not_quoted() {
    let map = BTreeMap::from([("a", 1.0), ("hunter2\n\u{1b}", f64::NAN)]);
    assert_eq!(refusal(&map).path, "{1}");
}

#[test]
fn infinity_in_a_float_of_32_bits_is_refused() {
    assert_eq!(refusal(&vec![1.0, f32::NEG_INFINITY]).path, "[1]");
}

#[test]
fn a_map_whose_keys_are_lists_is_refused_with_its_path() {
    let map = BTreeMap::from([(vec![1], 2)]);
    let problem = refusal(&BTreeMap::from([("outer", map)]));
    assert_eq!(problem.path, "{0}");
    assert!(problem.reason.contains("keys"), "{problem:?}");
}

#[test]
fn bottomless_nesting_is_refused_before_the_stack_ends() {
    let mut value = Value::Null;
    for _ in 0..1000 {
        value = Value::Array(vec![value]);
    }
    assert_eq!(refusal(&value).reason, TOO_DEEP);
    // Taken apart by hand: dropping it must not be what ends the stack.
    while let Value::Array(mut list) = value {
        value = list.pop().unwrap();
    }
}

#[test]
fn the_words_of_a_custom_serialize_are_left_out() {
    struct Strange;
    impl Serialize for Strange {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("a secret"))
        }
    }
    let problem = refusal(&vec![Strange]);
    assert_eq!(problem.path, "[0]");
    assert!(!problem.reason.contains("secret"));
}

#[test]
fn more_bytes_than_the_limit_are_not_written() {
    assert_eq!(to_json(&"0123456789", 12, 0), Ok(b"\"0123456789\"".to_vec()));
    assert_eq!(to_json(&"0123456789", 11, 0), Err(NotEncoded::OverLimit));
}
