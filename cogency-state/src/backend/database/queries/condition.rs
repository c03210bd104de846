//! A filter as a condition of SQL.
//!
//! A condition of one field is true, false or null; null counts as false, which `not` heeds.

use serde_json::Number;

use super::sql::{At, Bound, Json, KEY_CHARS, Kind};
use super::statement::Binder;
use crate::query::{Column, Comparison, Exact, Field, Filter, Node, Of, Value, micros};

const TRUE: &str = "1 = 1";
const FALSE: &str = "1 = 0";

/// From here on not every whole number is an `f64`: several have the same nearest one.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// The condition of a filter.
pub(super) fn of(binder: &mut Binder<'_>, filter: &Filter) -> String {
    node(binder, &filter.0)
}

fn node(binder: &mut Binder<'_>, of: &Node) -> String {
    match of {
        Node::All(nodes) => joined(binder, nodes, " AND ", TRUE),
        Node::Any(nodes) => joined(binder, nodes, " OR ", FALSE),
        Node::Not(of) => format!("({}) IS NOT TRUE", node(binder, of)),
        Node::Compare(field, comparison, value) => compare(binder, field, *comparison, value),
        Node::In(field, values) => is_in(binder, field, values),
        Node::Contains(field, value) => contains(binder, field, value),
        Node::Exists(field) => exists(binder, field),
    }
}

fn joined(binder: &mut Binder<'_>, nodes: &[Node], with: &str, none: &str) -> String {
    let parts: Vec<_> = nodes.iter().map(|of| node(binder, of)).collect();
    if parts.is_empty() { none.to_owned() } else { format!("({})", parts.join(with)) }
}

/// A field, as SQL sees it.
pub(super) enum Seen {
    Column(Column),
    Json(Json),
}

/// What a field is to SQL.
pub(super) fn seen(binder: &Binder<'_>, field: &Field) -> Option<Seen> {
    match &field.0 {
        Of::Column(column) => Some(Seen::Column(*column)),
        Of::Json(..) => at(binder, field).map(|at| Seen::Json(binder.database.sql.json(&at))),
    }
}

fn at<'a>(binder: &Binder<'a>, field: &'a Field) -> Option<At<'a>> {
    let Of::Json(document, Ok(path)) = &field.0 else { return None };
    Some(binder.states.at(*document, path))
}

/// Whether a filter asks what is in states.
pub(super) fn asks_states(filter: &Filter) -> bool {
    node_asks_states(&filter.0)
}

fn node_asks_states(node: &Node) -> bool {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(node_asks_states),
        Node::Not(node) => node_asks_states(node),
        Node::Compare(field, ..)
        | Node::In(field, _)
        | Node::Contains(field, _)
        | Node::Exists(field) => field.is_in_state(),
    }
}

fn compare(
    binder: &mut Binder<'_>,
    field: &Field,
    comparison: Comparison,
    value: &Value,
) -> String {
    match seen(binder, field) {
        Some(Seen::Column(column)) => of_column(binder, column, comparison, value),
        Some(Seen::Json(json)) => of_json(binder, &json, comparison, value),
        None => FALSE.to_owned(),
    }
}

fn of_column(
    binder: &mut Binder<'_>,
    column: Column,
    comparison: Comparison,
    value: &Value,
) -> String {
    let sql = binder.database.sql;
    let expression = sql.column(column);
    let sign = sign(comparison);
    match value {
        Value::Null => format!("{expression} IS NULL"),
        Value::Number(number) => {
            let argument = binder.bind(Bound::Int(number.as_i64().unwrap_or(i64::MAX)));
            format!("{expression} {sign} {argument}")
        }
        Value::Time(time) => format!("{expression} {sign} {}", binder.time(micros(*time))),
        Value::Text(text) => {
            let by_index = (comparison == Comparison::Equal)
                .then(|| equal_by_index(binder, column, text))
                .flatten();
            // As it is: it has no NUL, and neither has a column.
            let exact = format!("{expression} {sign} {}", binder.held(text.clone()));
            by_index.map_or(exact.clone(), |by_index| format!("({by_index} AND {exact})"))
        }
        Value::Bool(_) | Value::NotANumber => FALSE.to_owned(),
    }
}

/// What an index can tell of equality, if the database needs to be told.
fn equal_by_index(binder: &mut Binder<'_>, column: Column, text: &str) -> Option<String> {
    let sql = binder.database.sql;
    sql.indexed(column, "")?;
    let argument = binder.bind(Bound::Text(text.to_owned()));
    sql.indexed(column, &argument)
}

fn of_json(binder: &mut Binder<'_>, json: &Json, comparison: Comparison, value: &Value) -> String {
    let Json { kind, number, .. } = json;
    match value {
        Value::Null => format!("{kind} = {}", Kind::Null),
        Value::Bool(is) => {
            let (kind, sign) = (is_kind(json, Kind::Bool), sign(comparison));
            format!("({kind} AND {number} {sign} {})", i32::from(*is))
        }
        Value::Number(number) => of_number(binder, json, comparison, number),
        Value::Text(text) => of_text(binder, json, comparison, text),
        Value::Time(_) | Value::NotANumber => FALSE.to_owned(),
    }
}

/// Of this kind, and no text: an index has that before the number.
fn is_kind(json: &Json, kind: Kind) -> String {
    let is_kind = format!("{} = {kind}", json.kind);
    if json.is_indexed { format!("{is_kind} AND {} = ''", json.key) } else { is_kind }
}

fn of_number(
    binder: &mut Binder<'_>,
    json: &Json,
    comparison: Comparison,
    value: &Number,
) -> String {
    let Some(exact) = Exact::of(value) else { return FALSE.to_owned() };
    let Json { number, rest, .. } = json;
    let is_number = is_kind(json, Kind::Number);
    let argument = binder.float(value);
    if exact.nearest.abs() < FIRST_INEXACT {
        return format!("({is_number} AND {number} {} {argument})", sign(comparison));
    }
    let whole = exact.rest;
    if comparison == Comparison::Equal {
        return format!("({is_number} AND {number} = {argument} AND {rest} = {whole})");
    }
    let again = binder.float(value);
    let (or_equal, strictly) = signs(comparison);
    let then = sign(comparison);
    // The first part is for an index.
    format!(
        "({is_number} AND {number} {or_equal} {argument} \
         AND ({number} {strictly} {again} OR {rest} {then} {whole}))"
    )
}

fn of_text(binder: &mut Binder<'_>, json: &Json, comparison: Comparison, text: &str) -> String {
    let Json { kind, text: whole, key, .. } = json;
    let is_text = format!("{kind} = {}", Kind::Text);
    let held = binder.database.sql.held(text).into_owned();
    // A shorter text compares with the beginning of another as with the whole.
    if held.chars().count() < KEY_CHARS {
        let argument = binder.held(held);
        return format!("({is_text} AND {key} {} {argument})", sign(comparison));
    }
    let or_equal = if comparison == Comparison::Equal { "=" } else { signs(comparison).0 };
    let by_key = if key == whole {
        TRUE.to_owned()
    } else {
        let beginning = binder.held(held.chars().take(KEY_CHARS).collect());
        format!("{key} {or_equal} {beginning}")
    };
    let argument = binder.held(held);
    format!("({is_text} AND {by_key} AND {whole} {} {argument})", sign(comparison))
}

fn is_in(binder: &mut Binder<'_>, field: &Field, values: &[Value]) -> String {
    let parts: Vec<_> =
        values.iter().map(|value| compare(binder, field, Comparison::Equal, value)).collect();
    if parts.is_empty() { FALSE.to_owned() } else { format!("({})", parts.join(" OR ")) }
}

fn contains(binder: &mut Binder<'_>, field: &Field, value: &Value) -> String {
    let sql = binder.database.sql;
    if let Of::Column(column) = &field.0 {
        let Value::Text(text) = value else { return FALSE.to_owned() };
        let part = binder.held(text.clone());
        return sql.contains(&sql.column(*column), &part);
    }
    let Some(at) = at(binder, field) else { return FALSE.to_owned() };
    let json = sql.json(&At { is_indexed: false, ..at });
    let in_text = match value {
        Value::Text(text) => {
            let part = binder.text(text);
            format!("({} = {} AND {})", json.kind, Kind::Text, sql.contains(&json.text, &part))
        }
        _ => FALSE.to_owned(),
    };
    let (from, element) = sql.elements(&at);
    let is_equal = of_json(binder, &element, Comparison::Equal, value);
    format!("({in_text} OR EXISTS (SELECT 1 FROM {from} WHERE {is_equal}))")
}

fn exists(binder: &Binder<'_>, field: &Field) -> String {
    match seen(binder, field) {
        Some(Seen::Column(column)) => {
            format!("{} IS NOT NULL", binder.database.sql.column(column))
        }
        Some(Seen::Json(json)) => format!("{} > 0", json.kind),
        None => FALSE.to_owned(),
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// The same direction, with and without equality.
fn signs(comparison: Comparison) -> (&'static str, &'static str) {
    match comparison {
        Comparison::Less | Comparison::LessOrEqual => ("<=", "<"),
        _ => (">=", ">"),
    }
}
