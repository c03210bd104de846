use std::collections::BTreeMap;
use std::fmt::Display;

use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::codec::read::from_json;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Chat {
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Turn {
    words: u32,
    #[serde(default, rename = "by", alias = "speaker")]
    role: Option<Role>,
    #[serde(default)]
    scores: BTreeMap<String, Vec<u8>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Role {
    User,
    Tool(u32),
    Pair(u32, u32),
    Named { name: String },
}

/// Where, and what.
fn told<T: serde::de::DeserializeOwned>(json: impl Display) -> (String, String) {
    let problem = from_json::<T>(json.to_string().as_bytes()).err().unwrap().0;
    (problem.path, problem.reason)
}

#[track_caller]
fn assert_told<T: serde::de::DeserializeOwned>(json: impl Display, path: &str, reason: &str) {
    assert_eq!(told::<T>(json), (path.to_owned(), reason.to_owned()));
}

fn turn(fields: &str) -> String {
    format!(r#"{{"turns":[{{"words":1}},{{"words":1,{fields}}}]}}"#)
}

#[test]
fn a_wrong_type_is_told_with_its_path_and_without_the_value() {
    let json = r#"{"turns":[{"words":1},{"words":"se`cr, expected\"et"}]}"#;
    assert_told::<Chat>(json, "turns[1].words", "invalid type: string, expected u32");
    assert_told::<Chat>(
        r#"{"turns":["a"]}"#,
        "turns[0]",
        "invalid type: string, expected struct Turn",
    );
    assert_told::<Chat>(r#"{"turns":{}}"#, "turns", "invalid type: map, expected sequence");
    assert_told::<Chat>("null", ".", "invalid type: null, expected struct Chat");
}

#[test]
fn a_number_out_of_range_is_not_quoted() {
    let json = r#"{"turns":[{"words":-4711}]}"#;
    assert_told::<Chat>(json, "turns[0].words", "invalid value: integer, expected u32");
}

#[test]
fn a_missing_or_duplicate_field_is_named() {
    assert_told::<Chat>("{}", ".", "missing field `turns`");
    assert_told::<Chat>(r#"{"turns":[{}]}"#, "turns[0]", "missing field `words`");
    assert_told::<Chat>(turn(r#""words":2"#), "turns[1]", "duplicate field `words`");
}

#[test]
fn an_unknown_field_or_variant_is_not_quoted() {
    assert_told::<Chat>(turn(r#""hunter2":2"#), "turns[1]{1}", "unknown field");
    assert_told::<Chat>(turn(r#""by":"hunter2""#), "turns[1].by", "unknown variant");
}

#[test]
fn the_fields_and_variants_of_a_path_are_named_and_the_keys_of_maps_are_counted() {
    let number = "invalid type: string, expected u32";
    assert_told::<Chat>(turn(r#""by":{"Tool":"x"}"#), "turns[1].by.Tool", number);
    assert_told::<Chat>(turn(r#""by":{"Pair":[1,"x"]}"#), "turns[1].by.Pair[1]", number);
    let named = "invalid type: integer, expected string";
    assert_told::<Chat>(turn(r#""by":{"Named":{"name":1}}"#), "turns[1].by.Named.name", named);
    assert_told::<Chat>(
        turn(r#""speaker":{"Named":{"name":1}}"#),
        "turns[1].speaker.Named.name",
        named,
    );
    let byte = "invalid value: integer, expected u8";
    assert_told::<Chat>(
        turn(r#""scores":{"a":[],"hunter2":[1,256]}"#),
        "turns[1].scores{1}[1]",
        byte,
    );
}

#[test]
fn a_map_key_that_does_not_fit_is_told_by_its_position() {
    type Sessions = BTreeMap<Session, u32>;
    #[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    enum Session {
        Main,
    }
    assert_told::<Sessions>(r#"{"Main":1,"hunter2":2}"#, "{1}", "unknown variant");
    let (path, reason) = told::<BTreeMap<u32, u32>>(r#"{"7":1,"hunter2":2}"#);
    assert_eq!(path, "{1}");
    assert!(!reason.contains("hunter2"), "{reason}");
}

#[test]
fn what_is_buffered_is_told_as_the_place_where_the_buffer_began() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Flat {
        words: u32,
        #[serde(flatten)]
        rest: BTreeMap<String, u32>,
    }
    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    #[allow(dead_code)]
    enum Tagged {
        Tool { name: String },
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Untagged {
        Number(u32),
    }
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct All {
        #[serde(default)]
        flat: Option<Flat>,
        #[serde(default)]
        tagged: Option<Tagged>,
        #[serde(default)]
        untagged: Option<Untagged>,
    }
    let found = "invalid type: string";
    assert_told::<All>(r#"{"flat":{"words":1,"hunter2":"x"}}"#, "flat", found);
    let known = "invalid type: string, expected u32";
    assert_told::<All>(r#"{"flat":{"hunter2":1,"words":"x"}}"#, "flat{1}", known);
    assert_told::<All>(r#"{"flat":{}}"#, "flat", "missing field `words`");
    assert_told::<All>(r#"{"tagged":{"kind":"Tool"}}"#, "tagged", "missing field `name`");
    assert_told::<All>(r#"{"tagged":{"kind":"hunter2"}}"#, "tagged{0}", "unknown variant");
    let (path, reason) = told::<All>(r#"{"untagged":"hunter2"}"#);
    assert_eq!((path.as_str(), reason.contains("hunter2")), ("untagged", false));
}

/// A type whose `Deserialize` says all that it knows, in each way that serde has.
struct Talkative;

impl<'de> Deserialize<'de> for Talkative {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let text: &'static str = text.leak();
        let (form, value) = text.split_once(' ').unwrap();
        let other = Unexpected::Other(value);
        Err(match form {
            "type" => D::Error::invalid_type(other, &value),
            "value" => D::Error::invalid_value(Unexpected::Str(value), &value),
            "length" => D::Error::invalid_length(7, &value),
            "variant" => D::Error::unknown_variant(value, &[]),
            "field" => D::Error::unknown_field(value, &[]),
            _ => D::Error::custom(text),
        })
    }
}

#[test]
fn nothing_that_a_custom_deserialize_says_is_shown() {
    for said in [
        "type hunter2",
        "value hunter2",
        "length hunter2",
        "variant hunter2",
        "field hunter2",
        "hunter2 hunter2",
        "missing field `hunter2`",
        "invalid type: string hunter2, expected hunter2",
        "duplicate field `hunter2` at line 4711 column 4711",
    ] {
        let (path, reason) = told::<Vec<Talkative>>(serde_json::json!([said]));
        assert_eq!(path, "[0]");
        assert!(!reason.contains("hunter2") && !reason.contains("4711"), "{said}: {reason}");
    }
}

#[test]
fn nothing_that_a_visitor_expects_is_shown() {
    struct Below(String);
    impl Visitor<'_> for Below {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    }
    struct Limited;
    impl<'de> Deserialize<'de> for Limited {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_u32(Below("hunter2".to_owned())).map(|()| Self)
        }
    }
    assert_told::<Limited>("7", ".", "invalid type: integer, expected u32");
    assert_told::<Limited>("[]", ".", "invalid type: sequence, expected u32");
}

#[test]
fn broken_json_says_where_it_breaks() {
    let (path, reason) = told::<Chat>(r#"{"turns":["#);
    assert_eq!(path, "turns");
    assert!(reason.contains("EOF while parsing a list at line 1 column 10"), "{reason}");
    let (path, reason) = told::<Chat>(r#"{"turns":[]} hunter2"#);
    assert_eq!(path, ".");
    assert!(reason.contains("trailing characters") && !reason.contains("hunter2"), "{reason}");
}

#[test]
fn raw_json_is_read_in_a_second_reading_too() {
    use serde_json::value::RawValue;
    let json = r#"[{"hunter2":1},"x"]"#;
    assert_told::<(Box<RawValue>, u32)>(json, "[1]", "invalid type: string, expected u32");
}
