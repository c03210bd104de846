//! What can be asked about.

use super::filter::{Comparison, Filter, Node};
use super::path::{Path, PathProblem};
use super::value::Value;

/// Something that is known of a state, to compare, or to order by.
#[derive(Clone, Debug, PartialEq)]
pub struct Field(pub(crate) Of);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Of {
    Column(Column),
    Json(Document, Result<Path, (String, PathProblem)>),
}

/// What each record has as a typed column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    User,
    Session,
    Version,
    StateType,
    Provider,
    Model,
    Phase,
    SavedAt,
    SavedBy,
    ExpiresAt,
}

/// What has paths in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    State,
    Metadata,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $column:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name() -> Field {
            Field(Of::Column(Column::$column))
        }
    )*};
}

columns! {
    /// Whose state it is: a text.
    user = User;
    /// Which of the user's sessions it is: a text.
    session = Session;
    /// How often it was saved: a whole number.
    version = Version;
    /// The Rust type of the state: a text, or missing.
    state_type = StateType;
    /// Who offers the LLM that wrote it: a text.
    provider = Provider;
    /// The LLM that wrote it: a text.
    model = Model;
    /// The phase whose call wrote it: a text, or missing.
    phase = Phase;
    /// When it was saved, by the backend's clock: a time.
    saved_at = SavedAt;
    /// Which process saved it, and on which host: a text.
    saved_by = SavedBy;
    /// When it expires: a time, or missing.
    expires_at = ExpiresAt;
}

/// What stands at a path in the state, such as `$.turns[0].role`. A name with dots, brackets or
/// spaces may stand in quotes: `$."a.b"`. `$` is the whole.
///
/// That the path is none is told by the query that uses it, before it runs.
#[must_use]
pub fn state(path: &str) -> Field {
    json(Document::State, path)
}

/// What stands at a path in the metadata, such as `$.tools_count`, or `$.tenant` of a custom
/// field. Otherwise as [`state`].
#[must_use]
pub fn metadata(path: &str) -> Field {
    json(Document::Metadata, path)
}

fn json(document: Document, path: &str) -> Field {
    Field(Of::Json(document, Path::parse(path).map_err(|problem| (path.to_owned(), problem))))
}

impl Field {
    /// Whether it is something in a state.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
    pub(crate) fn is_in_state(&self) -> bool {
        matches!(self.0, Of::Json(Document::State, _))
    }

    /// Equal. A value of another type never is; [`Value::Null`] is what a column has that holds
    /// nothing, and JSON's `null`, not what is missing from JSON.
    pub fn eq(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::Equal, value)
    }

    /// Not equal: also what is missing, or of another type. The same as `eq(value).not()`.
    pub fn ne(self, value: impl Into<Value>) -> Filter {
        self.eq(value).not()
    }

    /// Less, of the same type.
    pub fn lt(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::Less, value)
    }

    /// Less or equal, of the same type.
    pub fn le(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::LessOrEqual, value)
    }

    /// Greater, of the same type.
    pub fn gt(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::Greater, value)
    }

    /// Greater or equal, of the same type.
    pub fn ge(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::GreaterOrEqual, value)
    }

    /// From the first on, and before the second: a week, a page of names.
    pub fn between(self, from: impl Into<Value>, before: impl Into<Value>) -> Filter {
        self.clone().ge(from).and(self.lt(before))
    }

    /// Equal to one of these.
    pub fn is_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        let values = values.into_iter().map(Into::into).collect();
        Filter(Node::In(self, values))
    }

    /// A text that has this text in it, or an array one of whose elements is equal to this.
    pub fn contains(self, value: impl Into<Value>) -> Filter {
        Filter(Node::Contains(self, value.into()))
    }

    /// There is something: in JSON also `null`.
    pub fn exists(self) -> Filter {
        Filter(Node::Exists(self))
    }

    fn compare(self, comparison: Comparison, value: impl Into<Value>) -> Filter {
        Filter(Node::Compare(self, comparison, value.into()))
    }
}
