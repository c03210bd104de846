//! Mistakes in a query, found before anything runs.

use super::field::{Column, Field, Of};
use super::filter::{Comparison, Filter, Node};
use super::search::OrderBy;
use super::value::Value;
use crate::error::Error;

/// What every database takes in one statement.
const MAX_VALUES: usize = 1_000;
const MAX_CONDITIONS: usize = 400;
const MAX_DEPTH: usize = 40;
const MAX_ORDER: usize = 8;

/// Refuses a filter that some backend could not answer, or that cannot mean anything.
pub(crate) fn filter(filter: &Filter) -> Result<(), Error> {
    let mut count = Count::default();
    count.node(&filter.0, 1)
}

/// The same of an order.
pub(crate) fn order(order: &[OrderBy]) -> Result<(), Error> {
    if order.len() > MAX_ORDER {
        return wrong(format!("it orders by more than {MAX_ORDER} fields"));
    }
    order.iter().try_for_each(|by| path(&by.field))
}

#[derive(Default)]
struct Count {
    conditions: usize,
    values: usize,
}

impl Count {
    fn node(&mut self, node: &Node, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return wrong(format!("its filter is nested deeper than {MAX_DEPTH} times"));
        }
        match node {
            Node::All(nodes) | Node::Any(nodes) => {
                nodes.iter().try_for_each(|node| self.node(node, depth + 1))
            }
            Node::Not(node) => self.node(node, depth + 1),
            Node::Compare(field, comparison, value) => {
                self.condition(field, std::slice::from_ref(value))?;
                has_order(*comparison, value)
            }
            Node::In(field, values) => self.condition(field, values),
            Node::Contains(field, value) => {
                self.condition(field, std::slice::from_ref(value))?;
                has_text(field)
            }
            Node::Exists(field) => self.condition(field, &[]),
        }
    }

    fn condition(&mut self, field: &Field, values: &[Value]) -> Result<(), Error> {
        self.conditions += 1;
        self.values += values.len();
        if self.conditions > MAX_CONDITIONS || self.values > MAX_VALUES {
            return wrong(format!(
                "its filter has more than {MAX_CONDITIONS} conditions or {MAX_VALUES} values"
            ));
        }
        path(field)?;
        values.iter().try_for_each(|value| fits(field, value))
    }
}

fn path(field: &Field) -> Result<(), Error> {
    match &field.0 {
        Of::Json(_, Err((path, problem))) => wrong(format!("{path:?} is no path: {problem}")),
        _ => Ok(()),
    }
}

fn fits(field: &Field, value: &Value) -> Result<(), Error> {
    let Of::Column(column) = &field.0 else {
        return match value {
            Value::Time(_) => wrong(
                "only `saved_at` and `expires_at` are times: what stands in JSON is compared as the text that it is",
            ),
            Value::NotANumber => wrong("NaN and infinity are no numbers of JSON"),
            _ => Ok(()),
        };
    };
    let fits = match (column, value) {
        (Column::SavedAt | Column::ExpiresAt, value) => {
            matches!(value, Value::Time(_) | Value::Null)
        }
        (Column::Version, Value::Number(number)) => number.as_i64().is_some(),
        (Column::Version, value) => matches!(value, Value::Null),
        (_, Value::Text(text)) => !text.contains('\0'),
        (_, value) => matches!(value, Value::Null),
    };
    if fits {
        return Ok(());
    }
    let (name, wanted) = described(*column);
    wrong(format!("`{name}` is {wanted}, and is compared with something else"))
}

fn has_order(comparison: Comparison, value: &Value) -> Result<(), Error> {
    if comparison != Comparison::Equal && *value == Value::Null {
        return wrong("nothing is less or greater than null");
    }
    Ok(())
}

fn has_text(field: &Field) -> Result<(), Error> {
    match &field.0 {
        Of::Column(column @ (Column::Version | Column::SavedAt | Column::ExpiresAt)) => {
            wrong(format!("`{}` is no text, and contains nothing", described(*column).0))
        }
        _ => Ok(()),
    }
}

fn described(column: Column) -> (&'static str, &'static str) {
    const TEXT: &str = "a text without NUL";
    match column {
        Column::User => ("user", TEXT),
        Column::Session => ("session", TEXT),
        Column::Version => ("version", "a whole number up to 2^63 - 1"),
        Column::StateType => ("state_type", TEXT),
        Column::Provider => ("provider", TEXT),
        Column::Model => ("model", TEXT),
        Column::Phase => ("phase", TEXT),
        Column::SavedAt => ("saved_at", "a time"),
        Column::SavedBy => ("saved_by", TEXT),
        Column::ExpiresAt => ("expires_at", "a time"),
    }
}

fn wrong<T>(what: impl std::fmt::Display) -> Result<T, Error> {
    Err(Error::Config { reason: format!("the query cannot be run: {what}") })
}
