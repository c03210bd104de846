//! Which states a part of a statement is about, and where their text is.

use super::sql::{At, Database};
use crate::query::{Document, Path};

/// The states that a part of a statement is about.
#[derive(Clone, Copy)]
pub(super) struct States<'a> {
    pub(super) database: &'a Database,
    which: Which,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// All: nothing is asked about what is in them.
    All,
    /// Those that stand in their rows.
    Whole,
    /// Those that are apart.
    Apart,
}

impl<'a> States<'a> {
    /// All that there are.
    pub(super) fn all(database: &'a Database) -> Self {
        Self { database, which: Which::All }
    }

    /// The parts that a statement has.
    pub(super) fn parts(database: &'a Database, are_asked: bool) -> Vec<Self> {
        let parts: &[_] = if are_asked { &[Which::Whole, Which::Apart] } else { &[Which::All] };
        parts.iter().map(|which| Self { database, which: *which }).collect()
    }

    /// What they are selected from, with a condition that is true of them.
    pub(super) fn from(self) -> (String, Option<&'static str>) {
        let table = format!("{}states s", self.database.prefix);
        match self.which {
            Which::All => (table, None),
            Which::Whole => (table, Some("s.state IS NOT NULL")),
            Which::Apart => {
                let (join, _) = self.database.sql.join_whole();
                (format!("{table} {}", self.database.put_together(join)), Some("s.state IS NULL"))
            }
        }
    }

    /// Something in a document of theirs.
    pub(super) fn at(self, document: Document, path: &'a Path) -> At<'a> {
        let indexed = &self.database.indexed;
        let is_elsewhere = document == Document::State && self.which == Which::Apart;
        let is_indexed =
            !is_elsewhere && indexed.iter().any(|(of, at)| *of == document && at == path);
        let prefix = &*self.database.prefix;
        At { prefix, document, column: self.column(document), path, is_indexed }
    }

    /// The column that has a document.
    pub(super) fn column(self, document: Document) -> &'static str {
        match (document, self.which) {
            (Document::State, Which::Apart) => self.database.sql.join_whole().1,
            (Document::State, _) => "s.state",
            (Document::Metadata, _) => "s.metadata",
        }
    }
}

impl Database {
    /// SQL in which the state of a row `s` that is apart is put together.
    pub(super) fn put_together(&self, sql: &str) -> String {
        sql.replace("{whole}", self.sql.whole().trim_end()).replace("{p}", &self.prefix)
    }
}
