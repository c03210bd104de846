//! States and queries by chance, of what databases are known to take in different ways.

use cogency_state::Metadata;
use cogency_state::query::{
    Field, Filter, Value, expires_at, metadata, model, phase, provider, saved_at, saved_by,
    session, state, state_type, user, version,
};
use proptest::prelude::*;
use serde_json::{Number, json};

use crate::{Sample, key};

/// Paths that [`states`] has something at, and some that look like one.
const PATHS: [&str; 13] = [
    "$.a",
    "$.b",
    "$.o.x",
    "$.o",
    "$.list",
    "$.list[0]",
    "$.list[1]",
    "$.list[0].x",
    "$.a[0]",
    "$.\"it's a {p} k.e[y] 😀\"",
    "$.0",
    "$.\"\"",
    "$",
];

fn text() -> impl Strategy<Value = String> {
    let fixed = [
        "",
        "a",
        "A",
        "b",
        "ab",
        "a ",
        " a",
        "a\t",
        "é",
        "e\u{301}",
        "z",
        "\u{ffff}",
        "😀",
        "%",
        "_",
        "a'b",
        "\\",
        "\"",
        "\\u0000",
        "1",
        "true",
        "null",
        "{p}",
        "[1]",
        "\0",
        "a\0",
        "a\0b",
        "\u{1}",
        "\u{2}",
        "\u{3}",
        "\u{4}",
        "\u{1}\u{2}",
        "\u{1}\u{2}\u{2}",
        "\\\0",
        "\n",
        "\u{10}",
        "\u{1f}",
        "\u{7f}",
    ];
    prop_oneof![8 => prop::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

/// Texts that differ only behind what is sorted by.
fn long_text() -> impl Strategy<Value = String> {
    let fixed = [239, 240, 241, 300].map(|length| "é".repeat(length));
    (prop::sample::select(fixed.to_vec()), prop::sample::select(vec!["", "x", "\0", " "]))
        .prop_map(|(text, end)| text + end)
}

fn number() -> impl Strategy<Value = Number> {
    let whole = [
        0,
        1,
        -1,
        2,
        9_007_199_254_740_991,
        9_007_199_254_740_992,
        9_007_199_254_740_993,
        -9_007_199_254_740_993,
        i64::MIN,
        i64::MIN + 1,
        i64::MAX,
        i64::MAX - 1,
        9_223_372_036_854_774_784,
        4_611_686_018_427_387_905,
    ];
    let large = [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1, u64::MAX - 1024, u64::MAX - 1023];
    let floats = [
        0.0,
        -0.0,
        1.0,
        1.5,
        -1.5,
        0.1,
        1e-7,
        9_007_199_254_740_992.0,
        9_223_372_036_854_775_808.0,
        18_446_744_073_709_551_616.0,
        1e300,
        -1e300,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
    ];
    prop_oneof![
        prop::sample::select(whole.to_vec()).prop_map(Number::from),
        prop::sample::select(large.to_vec()).prop_map(Number::from),
        prop::sample::select(floats.to_vec()).prop_map(|number| Number::from_f64(number).unwrap()),
        (-100_000_i32..100_000).prop_map(|n| Number::from_f64(f64::from(n) / 64.0).unwrap()),
        any::<i64>().prop_map(Number::from),
    ]
}

fn scalar() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        1 => Just(json!(null)),
        1 => any::<bool>().prop_map(|is| json!(is)),
        4 => number().prop_map(serde_json::Value::Number),
        4 => text().prop_map(|text| json!(text)),
    ]
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        6 => scalar(),
        1 => prop::collection::vec(scalar(), 0..4).prop_map(|list| json!(list)),
        1 => prop::collection::vec(scalar(), 0..2).prop_map(|list| json!([list])),
        1 => scalar().prop_map(|value| json!({ "x": value })),
    ]
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let fields = (
        prop::option::weighted(0.9, value()),
        prop::option::weighted(0.9, value()),
        prop::option::of(value()),
        prop::option::of(prop::collection::vec(value(), 0..4)),
        prop::option::of(scalar()),
        prop::option::of(long_text()),
    );
    let object = fields.prop_map(|(a, b, x, list, odd, long)| {
        let mut document = serde_json::Map::new();
        let mut put = |name: &str, value: Option<serde_json::Value>| {
            document.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("a", a);
        put("b", b);
        put("o", x.map(|x| json!({ "x": x })));
        put("list", list.map(|list| json!(list)));
        put("it's a {p} k.e[y] 😀", odd.clone());
        put("0", odd.clone());
        put("", odd);
        put("long", long.map(|long| json!(long)));
        serde_json::Value::Object(document)
    });
    prop_oneof![20 => object, 1 => value()]
}

/// Without NUL, as ids and columns are.
fn plain_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace('\0', "0"))
}

fn known() -> impl Strategy<Value = Metadata> {
    (plain_text(), plain_text(), prop::option::of(plain_text()), any::<u32>(), scalar()).prop_map(
        |(provider, model, phase, tools, tag)| {
            let mut metadata = Metadata::now();
            metadata.llm_provider = provider.into();
            metadata.llm_model = model.into();
            metadata.phase_completed = phase.map(Into::into);
            metadata.tools_count = tools.into();
            metadata.custom.insert("tag".to_owned(), tag);
            metadata
        },
    )
}

/// Some states, each of a key of its own.
pub(crate) fn states() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (plain_text(), prop::option::of(plain_text()), known(), document());
    prop::collection::vec(sample, 1..60).prop_map(|samples| {
        let samples = samples.into_iter().enumerate();
        samples
            .map(|(nth, (user, state_type, metadata, document))| Sample {
                key: key(&format!("{user}u"), &format!("{}", nth % 50 + nth)),
                state_type,
                metadata,
                state: document.to_string(),
            })
            .collect()
    })
}

fn path() -> impl Strategy<Value = Field> {
    prop_oneof![
        10 => prop::sample::select(PATHS.to_vec()).prop_map(state),
        1 => prop::sample::select(vec!["$.tag", "$.tools_count", "$.nothing"]).prop_map(metadata),
    ]
}

fn text_column() -> impl Strategy<Value = Field> {
    let fields = vec![user(), session(), state_type(), provider(), model(), phase(), saved_by()];
    prop::sample::select(fields)
}

/// What can be ordered by.
pub(crate) fn field() -> impl Strategy<Value = Field> {
    let others = vec![version(), saved_at(), expires_at()];
    prop_oneof![5 => path(), 2 => text_column(), 1 => prop::sample::select(others)]
}

fn compared() -> impl Strategy<Value = Value> {
    prop_oneof![
        5 => number().prop_map(Value::from),
        6 => text().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ]
}

fn condition() -> impl Strategy<Value = Filter> {
    fn ordered(field: Field, value: Value, how: u8) -> Filter {
        match how % 6 {
            0 => field.eq(value),
            1 => field.ne(value),
            2 => field.lt(value),
            3 => field.le(value),
            4 => field.gt(value),
            _ => field.ge(value),
        }
    }
    prop_oneof![
        8 => (path(), compared(), any::<u8>()).prop_map(|(f, v, how)| ordered(f, v, how)),
        2 => (long_text(), any::<u8>())
            .prop_map(|(text, how)| ordered(state("$.long"), text.into(), how)),
        2 => (text_column(), plain_text(), any::<u8>())
            .prop_map(|(f, text, how)| ordered(f, text.into(), how)),
        1 => (0..3_i64, any::<u8>()).prop_map(|(n, how)| ordered(version(), n.into(), how)),
        1 => field().prop_map(|field| field.eq(Value::Null)),
        2 => field().prop_map(Field::exists),
        2 => (path(), prop::collection::vec(compared(), 0..4)).prop_map(|(f, v)| f.is_in(v)),
        1 => (text_column(), prop::collection::vec(plain_text(), 0..4))
            .prop_map(|(f, v)| f.is_in(v)),
        3 => (path(), prop_oneof![4 => compared(), 1 => Just(Value::Null)])
            .prop_map(|(f, v)| f.contains(v)),
        1 => (text_column(), plain_text()).prop_map(|(f, v)| f.contains(v)),
    ]
}

/// A question.
pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    condition().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| one.and(other)),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| one.or(other)),
            inner.prop_map(Filter::not),
        ]
    })
}
