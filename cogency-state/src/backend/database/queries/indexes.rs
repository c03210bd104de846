//! Indexes on paths that a program asks about often.
//!
//! They are made as the tables are: by whoever connects first, while others wait, and noted in a
//! table. One that nobody declares any more stays until an operator drops it.

use super::super::statement::Session;
use super::sql::{At, Database, document as document_name, quoted};

/// An index that is to be there.
pub(crate) struct Index {
    name: String,
    /// What it is on, for messages.
    pub(crate) about: String,
    sql: String,
}

impl Database {
    fn indexes(&self) -> impl Iterator<Item = Index> {
        self.indexed.iter().map(|(document, path)| {
            let (prefix, document, column) = (&*self.prefix, *document, document_name(*document));
            let at = At { prefix, document, column, path, is_indexed: false };
            Index { name: at.name(), about: format!("{column} {path}"), sql: self.sql.index(&at) }
        })
    }

    /// What makes all of them, for an operator.
    pub(crate) fn indexes_text(&self) -> String {
        let text = |index: Index| {
            let noted = index.noted(&self.prefix);
            format!("\n-- index: {}\n{};\n{noted};\n", index.about, index.sql)
        };
        self.indexes().map(text).collect()
    }
}

impl Index {
    /// Notes that it was made.
    fn noted(&self, prefix: &str) -> String {
        let (name, about) = (quoted(&self.name), quoted(&self.about));
        format!("INSERT INTO {prefix}indexes (name, path) VALUES ({name}, {about})")
    }

    /// Makes it, and notes that.
    pub(crate) async fn make(
        &self,
        session: &mut dyn Session,
        prefix: &str,
    ) -> Result<(), sqlx::Error> {
        session.run(self.sql.clone()).await?;
        session.run(self.noted(prefix)).await?;
        tracing::info!(on = %self.about, "an index was made");
        Ok(())
    }
}

/// Those that are missing.
pub(crate) async fn missing(
    session: &mut dyn Session,
    database: &Database,
) -> Result<Vec<Index>, sqlx::Error> {
    let mut missing = Vec::new();
    for index in database.indexes() {
        let (prefix, name) = (&database.prefix, quoted(&index.name));
        let noted = format!("SELECT 1 FROM {prefix}indexes WHERE name = {name}");
        if session.run(noted).await?.is_empty() {
            missing.push(index);
        }
    }
    Ok(missing)
}

/// Their paths, for messages.
pub(crate) fn named(indexes: &[Index]) -> String {
    indexes.iter().map(|index| &*index.about).collect::<Vec<_>>().join(", ")
}
