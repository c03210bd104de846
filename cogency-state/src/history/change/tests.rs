use std::fmt::Write as _;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn round_trip(old: &str, new: &str) -> String {
    let change = between(old, new);
    assert_eq!(apply(old, &change).as_deref(), Ok(new), "{change}");
    change
}

/// A conversation as serde writes one, with a counter and a time that stand before the list.
fn chat(turns: usize) -> String {
    let mut text =
        format!("{{\"count\":{turns},\"updated\":\"2026-01-31T12:00:{turns:05}Z\",\"turns\":[");
    for turn in 0..turns {
        let comma = if turn == 0 { "" } else { "," };
        let content = format!("{:x}", turn * 7_919).repeat(30);
        write!(text, "{comma}{{\"role\":\"user\",\"content\":\"{content}\"}}").unwrap();
    }
    text + "],\"status\":\"waiting\"}"
}

#[test]
fn the_change_is_json_that_a_person_can_read() {
    let old = r#"{"count":9,"turns":[{"role":"user","content":"hello"}],"done":false}"#;
    let new = r#"{"count":10,"turns":[{"role":"user","content":"hello"},"bye"],"done":false}"#;
    assert_eq!(round_trip(old, new), r#"["{\"count\":10",[10,43],",\"bye\"",[53,15]]"#);
    assert_eq!(round_trip(old, old), "[[0,68]]");
    assert_eq!(round_trip("1", "2"), r#"["2"]"#);
}

/// One common beginning and end would span the whole list.
#[test]
fn a_turn_of_a_conversation_costs_what_it_adds() {
    let added = chat(501).len() - chat(500).len();
    let change = round_trip(&chat(500), &chat(501));
    assert!(change.len() < added + 150, "{} for {added}: {change}", change.len());
}

#[test]
fn what_goes_from_the_front_while_the_end_grows_costs_what_it_adds() {
    let cut =
        |turns: usize| chat(turns).replacen("{\"role\":\"user\",\"content\":\"000", "{\"a\":\"", 1);
    let old = chat(400);
    let new = cut(401).replace("waiting", "working");
    let change = round_trip(&old, &new);
    assert!(change.len() < 700, "{}: {change}", change.len());
}

/// It is the work of a moment; the limit is that of a machine under any load.
#[test]
fn a_mebibyte_is_compared_in_less_than_seconds_even_where_nothing_is_alike() {
    let numbers = |seed: u64| {
        let mut text = String::new();
        let mut number = seed;
        while text.len() < 1 << 20 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            write!(text, "{:x}", number >> 20).unwrap();
        }
        text
    };
    let (old, new) = (numbers(1), numbers(3));
    let begun = Instant::now();
    round_trip(&old, &new);
    round_trip(&"ab".repeat(1 << 19), &"ba".repeat(1 << 19));
    round_trip(&"a".repeat(1 << 20), &"b".repeat(1 << 20));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn what_is_no_change_or_fits_another_state_is_refused() {
    let old = "grüße an alle";
    for change in [
        "",
        "{}",
        "[",
        "[[0,99]]",
        "[[0]]",
        "[[0,1,2]]",
        "[[-1,2]]",
        "[null]",
        "[[0,3]]",
        "[[3,2]]",
        "[[18446744073709551615,2]]",
        "[[1,18446744073709551615]]",
        "[\"\\ud800\"]",
        // What is copied twice could make much of little.
        "[[0,2],[0,2]]",
        "[[5,2],[0,2]]",
    ] {
        assert_eq!(apply(old, change), Err(Unfit), "{change}");
    }
    assert_eq!(apply(old, "[[0,4],\"!\"]").as_deref(), Ok("grü!"));
}

/// Some characters of one to four bytes, so that they are alike in parts.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        proptest::sample::select("aaab\"\\{,üéß日本🤖🤗".chars().collect::<Vec<_>>()),
        0..400,
    )
    .prop_map(|characters| characters.into_iter().collect())
}

/// What somebody makes of a text: pieces of it and others, in any order.
fn edited() -> impl Strategy<Value = (String, String)> {
    let edits = proptest::collection::vec((0.0..1.0, 0.0..1.0, text(), 0..4u8), 0..6);
    (text(), text(), edits).prop_map(|(first, second, edits)| {
        let old = first.repeat(3) + &second;
        let mut new: Vec<char> = old.chars().collect();
        for (from, len, text, what) in edits {
            let from = place(from, new.len());
            let to = from + place(len, new.len() - from) / 4;
            let piece: Vec<char> = new.splice(from..to, text.chars().take(40)).collect();
            if what == 0 {
                new.extend(piece);
            }
        }
        (old, new.into_iter().collect())
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn place(part: f64, len: usize) -> usize {
    (part * len as f64) as usize
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn every_change_makes_the_new_of_the_old((old, new) in edited()) {
        let change = between(&old, &new);
        let made = apply(&old, &change);
        prop_assert_eq!(made.as_deref(), Ok(&*new), "{}", change);
    }

    #[test]
    fn damaged_changes_are_refused_or_give_some_text(
        (old, new) in edited(), at in 0.0..1.0, with in any::<char>(),
    ) {
        let mut change: Vec<char> = between(&old, &new).chars().collect();
        let at = place(at, change.len());
        change[at] = with;
        let change: String = change.into_iter().collect();
        if let Ok(text) = apply(&old, &change) {
            prop_assert!(text.len() <= old.len() + change.len());
        }
    }
}
