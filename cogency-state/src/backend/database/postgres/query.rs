//! How PostgreSQL writes the parts of a query.
//!
//! What it can be asked about a document are functions of the migration `migrations/0004_query_indexes.sql`.

use std::borrow::Cow;

use crate::backend::database::queries::sql::{At, Bound, Json, KEY_CHARS, QuerySql, name, quoted};
use crate::query::{Column, Path, Step};

pub(super) struct Queries;

impl QuerySql for Queries {
    fn argument(&self, number: usize) -> String {
        format!("${number}")
    }

    /// No text has a NUL here. As in the migration, each of the first four characters is written
    /// as one, and two that tell which: so texts keep their order and what they contain.
    fn held<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains(|c: char| c <= '\u{3}') {
            return Cow::Borrowed(text);
        }
        let mut held = String::with_capacity(text.len() + 8);
        for character in text.chars() {
            match character {
                '\0' => held.push_str("\u{1}\u{2}\u{2}"),
                '\u{1}' => held.push_str("\u{1}\u{2}\u{3}"),
                '\u{2}' => held.push_str("\u{1}\u{3}\u{2}"),
                '\u{3}' => held.push_str("\u{1}\u{3}\u{3}"),
                other => held.push(other),
            }
        }
        Cow::Owned(held)
    }

    fn text(&self, argument: String) -> String {
        format!("{argument} COLLATE \"C\"")
    }

    fn time(&self, micros: i64) -> (Bound, &'static str, &'static str) {
        let bound = Bound::Int(micros);
        (bound, "(timestamptz '1970-01-01 00:00:00+00' + ", " * interval '1 microsecond')")
    }

    fn micros(&self, column: &str) -> String {
        format!("(extract(epoch FROM {column}) * 1000000)::bigint")
    }

    fn column(&self, column: Column) -> String {
        let is_text = matches!(
            column,
            Column::StateType | Column::Provider | Column::Model | Column::Phase | Column::SavedBy
        );
        format!("s.{}{}", name(column), if is_text { " COLLATE \"C\"" } else { "" })
    }

    /// A long text fits no index.
    fn indexed(&self, column: Column, argument: &str) -> Option<String> {
        let is_text = !matches!(column, Column::User | Column::Session);
        is_text
            .then(|| format!("left(s.{}, 200) COLLATE \"C\" = left({argument}, 200)", name(column)))
    }

    fn beginning(&self, text: &str) -> String {
        format!("left({text}, {KEY_CHARS}) COLLATE \"C\"")
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("strpos({text}, {part}) > 0")
    }

    fn json(&self, at: &At<'_>) -> Json {
        Json { is_indexed: at.is_indexed, ..of(at.prefix, &value(at)) }
    }

    fn elements(&self, at: &At<'_>) -> (String, Json) {
        let value = value(at);
        let array = format!("CASE json_typeof({value}) WHEN 'array' THEN {value} ELSE '[]' END");
        (format!("json_array_elements({array}) AS e(j)"), of(at.prefix, "e.j"))
    }

    fn as_text(&self, column: &str) -> String {
        format!("{column}::text")
    }

    fn join_whole(&self) -> (&'static str, &'static str) {
        ("CROSS JOIN LATERAL (SELECT {whole} AS state OFFSET 0) w", "w.state")
    }

    fn visible(&self) -> &'static str {
        "(s.expires_at IS NULL OR s.expires_at > clock_timestamp()
          OR EXISTS (
            SELECT 1 FROM {p}leases l
            WHERE l.user_id = s.user_id AND l.session_id = s.session_id
              AND l.taken_at < s.expires_at AND l.expires_at > clock_timestamp()
          ))"
    }

    fn explain(&self) -> (&'static str, usize) {
        ("EXPLAIN ", 0)
    }

    fn index(&self, at: &At<'_>) -> String {
        let Json { kind, key, number, rest, .. } = self.json(at);
        let (_, table) = at.prefix.split_once('.').unwrap_or(("", at.prefix));
        format!(
            "CREATE INDEX IF NOT EXISTS {table}states_{name} ON {p}states \
             (({kind}), ({key}), ({number}), ({rest}), user_id, session_id)",
            p = at.prefix,
            name = at.name(),
        )
    }
}

/// What stands at the path. A name that looks like a number is no index.
fn value(at: &At<'_>) -> String {
    let document = format!("{}queried({})", at.prefix, at.column);
    format!("({document}{})", steps(at.path))
}

fn steps(path: &Path) -> String {
    let step = |step: &Step| match step {
        Step::Field(name) => format!(" -> {}", quoted(name)),
        Step::Element(index) => format!(" -> {index}"),
    };
    path.steps().iter().map(step).collect()
}

fn of(prefix: &str, value: &str) -> Json {
    let text = format!("{prefix}query_text({value})");
    Json {
        kind: format!("{prefix}query_kind({value})"),
        key: format!("left({text}, {KEY_CHARS}) COLLATE \"C\""),
        text: format!("{text} COLLATE \"C\""),
        number: format!("{prefix}query_number({value})"),
        rest: format!("{prefix}query_rest({value})"),
        is_indexed: false,
    }
}
