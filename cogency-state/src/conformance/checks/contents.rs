//! What is saved comes back as it was, byte for byte.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::conformance::check::Verdict;
use crate::conformance::sample;
use crate::conformance::trial::Trial;

const MIB: usize = 1 << 20;

/// JSON that one store or another is known to change.
const STATES: [(&str, &str); 17] = [
    ("an escaped NUL", r#"{"text":"a\u0000b"}"#),
    ("the largest u64", r#"{"n":18446744073709551615}"#),
    ("the smallest i64", r#"{"n":-9223372036854775808}"#),
    ("negative zero", r#"{"x":-0.0}"#),
    ("the smallest positive f64", r#"{"x":5e-324}"#),
    ("the largest f64", r#"{"x":1.7976931348623157e308}"#),
    ("a number with a trailing zero", r#"{"x":1.10}"#),
    ("duplicate keys", r#"{"a":1,"a":2}"#),
    ("keys out of order", r#"{"b":1,"a":2,"":3}"#),
    ("unusual spacing", "{ \"a\" :\t1 ,\r\n \"b\":[ ] }\n"),
    (
        "letters of all planes",
        "{\"text\":\"é € 日本 🤖 𐀀 \u{10ffff} e\u{301} \u{202e}abc\u{feff}\"}",
    ),
    ("escaped surrogate pairs", r#"{"text":"\ud83e\udd16 \u00e9 \/"}"#),
    ("escaped control characters", r#"{"text":"\b\f\n\r\t\u001b\u007f\\\""}"#),
    ("what looks like SQL or a script", r#"{"text":"'; DROP TABLE x; -- $1 ?1 :a %s {} ${0}"}"#),
    ("a bare string", r#""only text""#),
    ("null", "null"),
    ("an empty object", "{}"),
];

pub(super) async fn states_come_back_byte_for_byte(trial: &Trial<'_>) -> Verdict {
    for (what, state) in STATES {
        comes_back(trial, what, Bytes::from(state)).await?;
    }
    let deep = format!("{}0{}", "[".repeat(100), "]".repeat(100));
    comes_back(trial, "100 levels of nesting", Bytes::from(deep)).await?;
    comes_back(trial, "every character of Unicode", every_character()).await
}

/// One JSON string with every character that need not be escaped.
fn every_character() -> Bytes {
    let plain = ('\u{20}'..=char::MAX).filter(|c| !matches!(c, '"' | '\\'));
    let quoted = std::iter::once('"').chain(plain).chain(std::iter::once('"'));
    Bytes::from(quoted.collect::<String>())
}

pub(super) async fn custom_metadata_comes_back_nested(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let mut record = sample::record(lease.key(), None, "with custom metadata");
    let deep = (0..60).fold(Value::Null, |inner, level| json!({ "level": level, "inner": inner }));
    let fields = [
        ("deep", deep),
        ("numbers", json!([u64::MAX, i64::MIN, 0.1, 5e-324, f64::MAX, 1e-7])),
        ("text", json!("a\u{0}b 🤖 \u{10ffff} '\";--")),
        ("empty", json!({ "object": {}, "list": [], "text": "", "null": null })),
        ("a key with spaces, \"quotes\" and ünï", json!(true)),
        ("", json!("the key is empty")),
    ];
    record.metadata.custom =
        fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    trial.backend.save(&lease, &record, None).await?;
    trial.backend.holds(&record, "after a save with nested custom metadata").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_state_of_8_mib_comes_back(trial: &Trial<'_>) -> Verdict {
    comes_back(trial, "8 MiB", large(8 * MIB)).await
}

pub(super) async fn a_state_of_64_mib_comes_back(trial: &Trial<'_>) -> Verdict {
    comes_back(trial, "64 MiB", large(64 * MIB)).await
}

/// A JSON string no two blocks of which are alike.
fn large(bytes: usize) -> Bytes {
    const BLOCK: usize = 4096;
    let mut text = String::with_capacity(bytes + BLOCK);
    text.push('"');
    for number in 0..bytes.div_ceil(BLOCK) {
        text.push_str(&format!("{number:08x}").repeat(BLOCK / 8));
    }
    text.truncate(bytes - 1);
    text.push('"');
    Bytes::from(text)
}

/// Saves a state over a small one, and a small one over it.
async fn comes_back(trial: &Trial<'_>, what: &str, state: Bytes) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let small = trial.backend.create_under(&lease, "small").await?;
    let record = sample::record_of(lease.key(), Some(&small), state);
    trial.backend.save(&lease, &record, Some(&small)).await?;
    trial.backend.holds(&record, &format!("after a save with {what}")).await?;

    let small = sample::record(lease.key(), Some(&record), "small again");
    trial.backend.save(&lease, &small, Some(&record)).await?;
    trial.backend.holds(&small, &format!("after a small state replaced {what}")).await?;
    trial.backend.release(&lease).await
}
