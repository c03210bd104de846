//! A query, answered in plain Rust: what its meaning is, and what the databases are tested
//! against.

use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::field::{Column, Document, Field, Of};
use super::filter::{Comparison, Filter, Node};
use super::number::Exact;
use super::path::{Path, Step};
use super::search::{Found, OrderBy};
use super::value::Value;

/// A state that a query is asked about.
#[derive(Clone)]
pub struct Candidate {
    found: Found,
    metadata: Json,
    state: Json,
}

impl Candidate {
    /// A state, and what is known about it.
    #[must_use]
    pub fn new(found: Found, state: Json) -> Self {
        let metadata = serde_json::to_value(&found.metadata).unwrap_or_default();
        Self { found, metadata, state }
    }

    /// What is known about it.
    #[must_use]
    pub fn found(&self) -> &Found {
        &self.found
    }

    fn at<'a>(&'a self, field: &'a Field) -> Thing<'a> {
        let found = &self.found;
        match &field.0 {
            Of::Json(Document::State, Ok(path)) => walk(&self.state, path),
            Of::Json(Document::Metadata, Ok(path)) => walk(&self.metadata, path),
            Of::Json(_, Err(_)) => Thing::Missing,
            Of::Column(column) => match column {
                Column::User => Thing::Text(found.key.user_id()),
                Column::Session => Thing::Text(found.key.session_id()),
                Column::Version => Thing::number(&found.revision.version.into()),
                Column::StateType => text(found.state_type.as_deref()),
                Column::Provider => Thing::Text(&found.metadata.llm_provider),
                Column::Model => Thing::Text(&found.metadata.llm_model),
                Column::Phase => text(found.metadata.phase_completed.as_deref()),
                Column::SavedAt => Thing::Time(micros(found.saved_at)),
                Column::SavedBy => Thing::Text(&found.saved_by),
                Column::ExpiresAt => {
                    found.expires_at.map_or(Thing::Missing, |at| Thing::Time(micros(at)))
                }
            },
        }
    }
}

/// States are private.
impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("found", &self.found).finish_non_exhaustive()
    }
}

impl Filter {
    /// Whether this state is meant.
    #[must_use]
    pub fn matches(&self, candidate: &Candidate) -> bool {
        holds(&self.0, candidate)
    }
}

/// How two states are ordered.
#[must_use]
pub fn compare(order: &[OrderBy], one: &Candidate, other: &Candidate) -> Ordering {
    let by_key = || one.found.key.cmp(&other.found.key);
    let turned = |descending: bool, ordering: Ordering| {
        if descending { ordering.reverse() } else { ordering }
    };
    let mut differing =
        order.iter().map(|by| turned(by.descending, one.at(&by.field).order(&other.at(&by.field))));
    let first = differing.find(|ordering| ordering.is_ne());
    let is_descending = order.last().is_some_and(|by| by.descending);
    first.unwrap_or_else(|| turned(is_descending, by_key()))
}

fn holds(node: &Node, candidate: &Candidate) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(|node| holds(node, candidate)),
        Node::Any(nodes) => nodes.iter().any(|node| holds(node, candidate)),
        Node::Not(node) => !holds(node, candidate),
        Node::Compare(field, comparison, value) => {
            let ordering = candidate.at(field).against(field, value);
            ordering.is_some_and(|ordering| comparison.allows(ordering))
        }
        Node::In(field, values) => {
            let thing = candidate.at(field);
            values.iter().any(|value| thing.against(field, value) == Some(Ordering::Equal))
        }
        Node::Contains(field, value) => candidate.at(field).contains(value),
        Node::Exists(field) => !matches!(candidate.at(field), Thing::Missing),
    }
}

impl Comparison {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// What a field leads to, in the order in which different types are sorted.
#[derive(Debug)]
enum Thing<'a> {
    Missing,
    Null,
    Bool(bool),
    Number(Exact),
    Text(&'a str),
    Array(&'a [Json]),
    Object,
    Time(i64),
}

impl<'a> Thing<'a> {
    fn number(number: &serde_json::Number) -> Self {
        Exact::of(number).map_or(Self::Null, Self::Number)
    }

    fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(is) => Self::Bool(*is),
            Json::Number(number) => Self::number(number),
            Json::String(text) => Self::Text(text),
            Json::Array(elements) => Self::Array(elements),
            Json::Object(_) => Self::Object,
        }
    }

    fn of_value(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(is) => Self::Bool(*is),
            Value::Number(number) => Self::number(number),
            Value::Text(text) => Self::Text(text),
            Value::Time(time) => Self::Time(micros(*time)),
            Value::NotANumber => return None,
        })
    }

    /// How it compares with a value; not at all with one of another type.
    fn against(&self, field: &Field, value: &Value) -> Option<Ordering> {
        let is_column = matches!(field.0, Of::Column(_));
        match (self, Thing::of_value(value)?) {
            (Self::Missing, Thing::Null) if is_column => Some(Ordering::Equal),
            (one, other) if one.rank() == other.rank() && !one.is_nested() => {
                Some(one.order(&other))
            }
            _ => None,
        }
    }

    fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(text), Value::Text(part)) => text.contains(part.as_str()),
            (Self::Array(elements), value) => elements.iter().any(|element| {
                let element = Thing::of(element);
                let is_same = |value: Thing<'_>| {
                    value.rank() == element.rank() && element.order(&value).is_eq()
                };
                Thing::of_value(value).is_some_and(is_same)
            }),
            _ => false,
        }
    }

    fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object)
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Null => 1,
            Self::Bool(_) => 2,
            Self::Number(_) => 3,
            Self::Text(_) => 4,
            Self::Array(_) => 5,
            Self::Object => 6,
            Self::Time(_) => 7,
        }
    }

    fn order(&self, other: &Thing<'_>) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Thing::Bool(other)) => one.cmp(other),
            (Self::Number(one), Thing::Number(other)) => one.cmp(*other),
            (Self::Text(one), Thing::Text(other)) => (*one).cmp(other),
            (Self::Time(one), Thing::Time(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn text(text: Option<&str>) -> Thing<'_> {
    text.map_or(Thing::Missing, Thing::Text)
}

fn walk<'a>(document: &'a Json, path: &Path) -> Thing<'a> {
    let found = path.steps().iter().try_fold(document, |at, step| match (step, at) {
        (Step::Field(name), Json::Object(fields)) => fields.get(name),
        (Step::Element(index), Json::Array(elements)) => {
            elements.get(usize::try_from(*index).ok()?)
        }
        _ => None,
    });
    found.map_or(Thing::Missing, Thing::of)
}

/// The last microsecond that databases write, of the year 9999.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// Whole microseconds since 1970, from then to 9999: what databases keep.
pub(crate) fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).map_or(LAST_MICROS, |micros| micros.min(LAST_MICROS))
}

/// The time that is so many microseconds after 1970.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub(crate) fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
