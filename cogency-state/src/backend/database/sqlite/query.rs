//! How SQLite writes the parts of a query.

use serde_json::Number;

use crate::backend::database::queries::sql::{At, Bound, Json, QuerySql, literal};
use crate::query::time;
use crate::rfc3339;

pub(super) struct Queries;

impl QuerySql for Queries {
    fn argument(&self, number: usize) -> String {
        format!("${number}")
    }

    /// SQLite reads some fractions with an error in the last digit: so it reads both sides.
    fn float(&self, number: &Number) -> (Bound, &'static str, &'static str) {
        if number.is_i64() {
            return (Bound::Float(number.as_f64().unwrap_or(0.0)), "", "");
        }
        (Bound::Text(number.to_string()), "CAST(", " AS REAL)")
    }

    /// Times are texts with milliseconds: more digits only where there are more.
    fn time(&self, micros: i64) -> (Bound, &'static str, &'static str) {
        let text = rfc3339::format(time(micros)).to_string();
        let text = text.trim_end_matches('Z').replace('T', " ");
        let text = text.strip_suffix("000").unwrap_or(&text).to_owned();
        (Bound::Text(text), "", "")
    }

    fn micros(&self, column: &str) -> String {
        format!(
            "CAST(strftime('%s', {column}) AS INTEGER) * 1000000 \
             + CAST(substr({column}, 21, 3) AS INTEGER) * 1000"
        )
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("instr({text}, {part}) > 0")
    }

    fn json(&self, at: &At<'_>) -> Json {
        let (document, path) = (document(at), literal(at.path));
        let value = Value {
            kind: format!("json_type({document}, {path})"),
            content: format!("json_extract({document}, {path})"),
            digits: format!("({document} -> {path})"),
        };
        Json { is_indexed: at.is_indexed, ..value.json() }
    }

    fn elements(&self, at: &At<'_>) -> (String, Json) {
        let (document, path) = (document(at), literal(at.path));
        let is_array = format!("json_type({document}, {path}) = 'array'");
        let from =
            format!("json_each(CASE WHEN {is_array} THEN {document} ELSE '[]' END, {path}) e");
        let value = Value {
            kind: "e.type".to_owned(),
            content: "e.value".to_owned(),
            digits: format!("({document} -> e.fullkey)"),
        };
        (from, value.json())
    }

    fn whole(&self) -> &'static str {
        include_str!("whole.sql")
    }

    /// `json_each` sees the rows before it, as nothing else does here.
    fn join_whole(&self) -> (&'static str, &'static str) {
        ("JOIN json_each(json_array({whole})) w", "w.value")
    }

    fn visible(&self) -> &'static str {
        "(s.expires_at IS NULL OR s.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')
          OR EXISTS (
            SELECT 1 FROM {p}leases l
            WHERE l.user_id = s.user_id AND l.session_id = s.session_id
              AND l.taken_at < s.expires_at AND l.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now')
          ))"
    }

    fn explain(&self) -> (&'static str, usize) {
        ("EXPLAIN QUERY PLAN ", 3)
    }

    fn index(&self, at: &At<'_>) -> String {
        let Json { kind, key, number, rest, .. } = self.json(at);
        format!(
            "CREATE INDEX IF NOT EXISTS {p}states_{name} ON {p}states \
             ({kind}, {key}, {number}, {rest}, user_id, session_id)",
            p = at.prefix,
            name = at.name(),
        )
    }
}

/// What somebody damaged has nothing in it.
fn document(at: &At<'_>) -> String {
    let column = at.column;
    format!("CASE WHEN json_valid({column}) THEN {column} END")
}

/// A value of JSON, as SQLite's functions tell it.
struct Value {
    kind: String,
    content: String,
    /// The text of a number.
    digits: String,
}

impl Value {
    fn json(&self) -> Json {
        let Self { kind, content, .. } = self;
        let text = format!("CASE WHEN {kind} = 'text' THEN {content} ELSE '' END");
        Json {
            kind: format!(
                "CASE {kind} WHEN 'null' THEN 1 WHEN 'false' THEN 2 WHEN 'true' THEN 2 \
                 WHEN 'integer' THEN 3 WHEN 'real' THEN 3 WHEN 'text' THEN 4 \
                 WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0 END"
            ),
            key: text.clone(),
            text,
            number: format!(
                "CASE {kind} WHEN 'true' THEN 1.0 WHEN 'integer' THEN CAST({content} AS REAL) \
                 WHEN 'real' THEN CAST({content} AS REAL) ELSE 0.0 END"
            ),
            rest: self.rest(),
            is_indexed: false,
        }
    }

    /// What the nearest `f64` lacks of a whole number. From 2^63 on that is no number of SQLite's:
    /// the difference is small, so its last digits tell it.
    fn rest(&self) -> String {
        let Self { kind, content, digits } = self;
        let nearest = format!("CAST({content} AS REAL)");
        format!(
            "CASE WHEN {kind} <> 'integer' OR {kind} IS NULL THEN 0 \
             WHEN abs({nearest}) < 9007199254740992.0 THEN 0 \
             WHEN {nearest} < 9223372036854775808.0 THEN {content} - CAST({nearest} AS INTEGER) \
             WHEN {nearest} <= 18446744073709551616.0 THEN \
             (CAST(substr({digits}, -4) AS INTEGER) \
             - 4 * (CAST({nearest} / 4 AS INTEGER) % 2500) + 15000) % 10000 - 5000 \
             ELSE 0 END"
        )
    }
}
