//! How MariaDB writes the parts of a query.

use crate::backend::database::queries::sql::{At, Bound, Json, KEY_CHARS, QuerySql, literal, name};
use crate::query::{Column, Path, Step};

pub(super) struct Queries;

impl QuerySql for Queries {
    fn argument(&self, _number: usize) -> String {
        "?".to_owned()
    }

    fn text(&self, argument: String) -> String {
        format!("CAST({argument} AS BINARY)")
    }

    fn time(&self, micros: i64) -> (Bound, &'static str, &'static str) {
        let bound = Bound::Int(micros);
        (bound, "(CAST('1970-01-01' AS DATETIME(6)) + INTERVAL ", " MICROSECOND)")
    }

    fn micros(&self, column: &str) -> String {
        format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column})")
    }

    /// As text, one with spaces behind it would be the same as one without.
    fn column(&self, column: Column) -> String {
        match column {
            Column::StateType
            | Column::Provider
            | Column::Model
            | Column::Phase
            | Column::SavedBy => format!("CAST(s.{} AS BINARY)", name(column)),
            _ => format!("s.{}", name(column)),
        }
    }

    fn indexed(&self, column: Column, argument: &str) -> Option<String> {
        let is_text = !matches!(column, Column::User | Column::Session);
        is_text.then(|| format!("s.{} = {argument}", name(column)))
    }

    /// It sorts by no more than the first 1,024 bytes.
    fn beginning(&self, text: &str) -> String {
        format!("CAST(LEFT({text}, {KEY_CHARS}) AS BINARY)")
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("LOCATE({part}, {text}) > 0")
    }

    fn json(&self, at: &At<'_>) -> Json {
        let json = of(&value(at));
        if !at.is_indexed {
            return json;
        }
        let column = |what| format!("s.{}_{what}", at.name());
        Json {
            kind: column("kind"),
            text: json.text,
            key: column("key"),
            number: column("number"),
            rest: column("rest"),
            is_indexed: true,
        }
    }

    fn elements(&self, at: &At<'_>) -> (String, Json) {
        let is_array = format!("JSON_TYPE({}) = 'ARRAY'", value(at));
        let document = format!("CASE WHEN {is_array} THEN {} ELSE '[]' END", at.column);
        let path = literal(at.path);
        let path = path.trim_end_matches('\'');
        let from = format!("JSON_TABLE({document}, {path}[*]' COLUMNS (v JSON PATH '$')) e");
        (from, of("e.v"))
    }

    /// `JSON_TABLE` sees the rows before it, as nothing else does here. Of an array above
    /// `max_allowed_packet` it makes no row: the state is null then, and stays in the answer.
    fn join_whole(&self) -> (&'static str, &'static str) {
        let join = "LEFT JOIN JSON_TABLE(JSON_ARRAY({whole}), '$[*]' COLUMNS (
            state LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$'
          )) w ON TRUE";
        (join, "w.state")
    }

    fn visible(&self) -> &'static str {
        "(s.expires_at IS NULL OR s.expires_at > UTC_TIMESTAMP(6)
          OR EXISTS (
            SELECT 1 FROM {p}leases l
            WHERE l.user_id = s.user_id AND l.session_id = s.session_id
              AND l.taken_at < s.expires_at AND l.expires_at > UTC_TIMESTAMP(6)
          ))"
    }

    fn compares_rows(&self) -> bool {
        false
    }

    /// So that long ids sort by all of their bytes.
    fn before(&self) -> &'static str {
        "SET STATEMENT max_sort_length = 2048 FOR "
    }

    fn explain(&self) -> (&'static str, usize) {
        ("EXPLAIN FORMAT = JSON ", 0)
    }

    /// Its indexes are of columns: they hold nothing by themselves.
    fn index(&self, at: &At<'_>) -> String {
        let Json { kind, key, number, rest, .. } = of(&value_of(&valid(at), at.path));
        format!(
            "ALTER TABLE {p}states \
             ADD COLUMN IF NOT EXISTS {name}_kind TINYINT AS ({kind}) VIRTUAL INVISIBLE, \
             ADD COLUMN IF NOT EXISTS {name}_key VARBINARY({bytes}) AS ({key}) VIRTUAL INVISIBLE, \
             ADD COLUMN IF NOT EXISTS {name}_number DOUBLE AS ({number}) VIRTUAL INVISIBLE, \
             ADD COLUMN IF NOT EXISTS {name}_rest SMALLINT AS ({rest}) VIRTUAL INVISIBLE; \
             CREATE INDEX IF NOT EXISTS {name} ON {p}states \
             ({name}_kind, {name}_key, {name}_number, {name}_rest)",
            p = at.prefix,
            name = at.name(),
            bytes = 4 * KEY_CHARS,
        )
    }
}

/// What stands at the path. MariaDB takes anything for an array of one element: so what is to be
/// an array is looked at before.
fn value(at: &At<'_>) -> String {
    value_of(at.column, at.path)
}

/// What is no JSON to MariaDB, or too deep for it, has nothing in it. In a query that is so by
/// itself; in a column it would keep the state from being saved.
fn valid(at: &At<'_>) -> String {
    let column = at.column;
    format!("CASE WHEN JSON_VALID({column}) THEN {column} END")
}

fn value_of(document: &str, at: &Path) -> String {
    let extract = |path: &Path| format!("JSON_EXTRACT({document}, {})", literal(path));
    let steps = at.steps().iter().enumerate();
    let elements = steps.filter(|(_, step)| matches!(step, Step::Element(_)));
    let arrays: Vec<_> = elements
        .map(|(nth, _)| format!("JSON_TYPE({}) = 'ARRAY'", extract(&at.beginning(nth))))
        .collect();
    let value = extract(at);
    if arrays.is_empty() {
        return value;
    }
    format!("CASE WHEN {} THEN {value} END", arrays.join(" AND "))
}

fn of(value: &str) -> Json {
    let kind = format!("JSON_TYPE({value})");
    let text =
        |text: &str| format!("CASE WHEN {kind} = 'STRING' THEN CAST({text} AS BINARY) ELSE '' END");
    let unquoted = format!("JSON_UNQUOTE({value})");
    let number = format!(
        "CASE {kind} WHEN 'BOOLEAN' THEN CASE WHEN {value} = 'true' THEN 1e0 ELSE 0e0 END \
         WHEN 'INTEGER' THEN CAST({value} AS DOUBLE) WHEN 'DOUBLE' THEN CAST({value} AS DOUBLE) \
         ELSE 0e0 END"
    );
    Json {
        kind: format!(
            "CASE {kind} WHEN 'NULL' THEN 1 WHEN 'BOOLEAN' THEN 2 WHEN 'INTEGER' THEN 3 \
             WHEN 'DOUBLE' THEN 3 WHEN 'STRING' THEN 4 WHEN 'ARRAY' THEN 5 WHEN 'OBJECT' THEN 6 \
             ELSE 0 END"
        ),
        text: text(&unquoted),
        key: text(&format!("LEFT({unquoted}, {KEY_CHARS})")),
        rest: rest(&kind, value),
        number,
        is_indexed: false,
    }
}

/// What the nearest `f64` lacks of a whole number. The two halves of its 64 bits are exact.
fn rest(kind: &str, value: &str) -> String {
    let nearest = format!("CAST({value} AS DOUBLE)");
    let high = format!("FLOOR({nearest} / 4294967296)");
    let low = format!("CAST({nearest} - {high} * 4294967296 AS SIGNED)");
    let exact = format!("CAST({high} AS SIGNED) * CAST(4294967296 AS DECIMAL(20, 0)) + {low}");
    format!(
        "CASE WHEN {kind} <> 'INTEGER' OR {kind} IS NULL THEN 0 \
         WHEN ABS({nearest}) < 9007199254740992 THEN 0 \
         WHEN ABS({nearest}) > 18446744073709551616e0 THEN 0 \
         ELSE CAST(CAST({value} AS DECIMAL(30, 0)) - ({exact}) AS SIGNED) END"
    )
}
