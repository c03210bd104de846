//! What a database has to say about queries.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Number;

use crate::query::{Column, Document, Path};
use crate::record::Checksum;

/// A query may look at every state.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A database, the prefix of its tables, and the paths that it has indexes on.
pub(crate) struct Database {
    pub(crate) sql: &'static dyn QuerySql,
    pub(crate) prefix: String,
    pub(crate) indexed: Vec<(Document, Path)>,
}

/// A value in a document of JSON, as expressions that are never null.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    /// A number for its type: see [`Kind`].
    pub(crate) kind: String,
    /// As a text: empty of what is none.
    pub(crate) text: String,
    /// The beginning of that, short enough for an index and a sort: at least [`KEY_CHARS`]
    /// characters.
    pub(crate) key: String,
    /// As an `f64`; 1 and 0 of true and false; 0 of what is none of these.
    pub(crate) number: String,
    /// What that lacks of a whole number; else 0.
    pub(crate) rest: String,
    /// Whether an index has these, from kind over key and number to rest.
    pub(crate) is_indexed: bool,
}

/// How many characters of a text a [`Json::key`] has. On MariaDB an index has room for these and
/// for two ids of 1,024 bytes.
pub(crate) const KEY_CHARS: usize = 240;

/// The types, in the order in which they are sorted.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Null = 1,
    Bool = 2,
    Number = 3,
    Text = 4,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self as u8).fmt(f)
    }
}

/// What a [`Json`] is made of, of a document and a path.
pub(crate) struct At<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) document: Document,
    /// What the document is called where it is asked for.
    pub(crate) column: &'static str,
    pub(crate) path: &'a Path,
    /// Whether there is an index.
    pub(crate) is_indexed: bool,
}

impl At<'_> {
    /// A name for what an index on this path needs: `q`, and 16 digits of a hash.
    pub(crate) fn name(&self) -> String {
        let at = format!("{}{}", document(self.document), self.path);
        format!("q{}", Checksum::of(at.as_bytes()))
    }
}

/// The column of a document.
pub(crate) fn document(document: Document) -> &'static str {
    match document {
        Document::State => "state",
        Document::Metadata => "metadata",
    }
}

/// The path as a literal of SQL.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) fn literal(path: &Path) -> String {
    quoted(&path.to_string())
}

/// A text without backslashes and control characters as a literal of SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Int(i64),
    Float(f64),
    Text(String),
}

/// How a database writes the parts of a query.
pub(crate) trait QuerySql: Send + Sync {
    /// The n-th argument, counted from 1.
    fn argument(&self, number: usize) -> String;

    /// A text to bind, as this database can hold it: in the order of the texts as they are.
    fn held<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }

    /// An argument that is a text, compared byte by byte.
    fn text(&self, argument: String) -> String {
        argument
    }

    /// What is bound for the `f64` of a number out of JSON, and its expression around the argument.
    fn float(&self, number: &Number) -> (Bound, &'static str, &'static str) {
        (Bound::Float(number.as_f64().unwrap_or(0.0)), "", "")
    }

    /// What is bound for a time in microseconds since 1970, and its expression around the argument.
    fn time(&self, micros: i64) -> (Bound, &'static str, &'static str);

    /// A column that is a time, in microseconds since 1970.
    fn micros(&self, column: &str) -> String;

    /// A column that is a text, compared byte by byte.
    fn column(&self, column: Column) -> String {
        format!("s.{}", name(column))
    }

    /// A condition that an index on a column of text can answer, for equality with an argument. It
    /// may hold of more.
    fn indexed(&self, _column: Column, _argument: &str) -> Option<String> {
        None
    }

    /// The beginning of a text, to sort by.
    fn beginning(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Whether a text has another in it.
    fn contains(&self, text: &str, part: &str) -> String;

    /// What stands at a path.
    fn json(&self, at: &At<'_>) -> Json;

    /// The elements of the array at a path, as something to select from, and each of these. None
    /// where there is no array.
    fn elements(&self, at: &At<'_>) -> (String, Json);

    /// The columns `metadata` and `state` as text.
    fn as_text(&self, column: &str) -> String {
        column.to_owned()
    }

    /// The text of the state of a row `s` that is apart, put together; null if somebody damaged it.
    fn whole(&self) -> &'static str {
        "{p}whole(s.user_id, s.session_id)"
    }

    /// What is joined to rows `s` to have that once for each, as the column that comes with it.
    fn join_whole(&self) -> (&'static str, &'static str);

    /// Whether a state has not expired, or somebody is at work on it.
    fn visible(&self) -> &'static str;

    /// Whether a comparison of rows, `(a, b) > (c, d)`, is answered by an index.
    fn compares_rows(&self) -> bool {
        true
    }

    /// What stands before a query.
    fn before(&self) -> &'static str {
        ""
    }

    /// What stands before a query to see its plan, and the column that this is in.
    fn explain(&self) -> (&'static str, usize);

    /// What makes an index on a path unless it is there.
    fn index(&self, at: &At<'_>) -> String;
}

/// The name of a column.
pub(crate) fn name(column: Column) -> &'static str {
    match column {
        Column::User => "user_id",
        Column::Session => "session_id",
        Column::Version => "version",
        Column::StateType => "state_type",
        Column::Provider => "provider",
        Column::Model => "model",
        Column::Phase => "phase",
        Column::SavedAt => "saved_at",
        Column::SavedBy => "saved_by",
        Column::ExpiresAt => "expires_at",
    }
}
