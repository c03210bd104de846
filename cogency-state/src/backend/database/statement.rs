//! What goes to a database and what comes back, whichever it is.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::database::HasStatementCache;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Database, Decode, Encode, Executor, IntoArguments, Row,
    Type,
};

use super::problem::Problem;

/// A value to bind.
#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
    Text(Option<&'a str>),
    Int(Option<i64>),
    Float(Option<f64>),
    Bytes(&'a [u8]),
}

impl Argument<'_> {
    /// How much there is to send of it, more or less.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.map_or(0, str::len),
            Self::Int(_) | Self::Float(_) => size_of::<i64>(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Argument<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Argument<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Argument<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Argument<'_> {
    fn from(is: bool) -> Self {
        Self::Int(Some(is.into()))
    }
}

/// A row that came back.
pub(super) trait Cells: Send {
    fn int(&self, column: usize) -> Result<Option<i64>, Problem>;
    fn float(&self, column: usize) -> Result<Option<f64>, Problem>;
    /// The bytes of a text, whatever they are.
    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Problem>;
}

/// The types of columns are those of our own statements, so they need no look.
impl<R> Cells for R
where
    R: Row,
    usize: ColumnIndex<R>,
    Option<i64>: for<'r> Decode<'r, R::Database>,
    Option<f64>: for<'r> Decode<'r, R::Database>,
    Option<Vec<u8>>: for<'r> Decode<'r, R::Database>,
{
    fn int(&self, column: usize) -> Result<Option<i64>, Problem> {
        self.try_get_unchecked(column).map_err(|_| Problem::Strange("a column is no number"))
    }

    fn float(&self, column: usize) -> Result<Option<f64>, Problem> {
        self.try_get_unchecked(column).map_err(|_| Problem::Strange("a column is no number"))
    }

    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Problem> {
        self.try_get_unchecked(column).map_err(|_| Problem::Strange("a column is no text"))
    }
}

/// The rows of one answer.
pub(super) type Rows = Vec<Box<dyn Cells>>;

/// A connection, to whichever database. What sqlx wants to know of one is said here and nowhere
/// else.
#[async_trait]
pub(super) trait Session: Send {
    /// Runs a statement. It stays prepared on the connection if that is to be so.
    async fn ask(
        &mut self,
        sql: &Arc<str>,
        arguments: &[Argument<'_>],
        stays: bool,
    ) -> Result<Rows, sqlx::Error>;

    /// Runs statements that have nothing to bind, one after the other.
    async fn run(&mut self, sql: String) -> Result<Rows, sqlx::Error>;
}

#[async_trait]
impl<C, DB> Session for C
where
    C: Connection<Database = DB>,
    DB: Database<Connection = C> + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut C: Executor<'c, Database = DB>,
    for<'q> Option<&'q str>: Encode<'q, DB> + Type<DB>,
    for<'q> &'q [u8]: Encode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    for<'q> Option<f64>: Encode<'q, DB> + Type<DB> + Decode<'q, DB>,
    for<'q> Option<Vec<u8>>: Decode<'q, DB>,
    usize: ColumnIndex<DB::Row>,
{
    async fn ask(
        &mut self,
        sql: &Arc<str>,
        arguments: &[Argument<'_>],
        stays: bool,
    ) -> Result<Rows, sqlx::Error> {
        let query = sqlx::query::<DB>(AssertSqlSafe(Arc::clone(sql)));
        let mut query = query.persistent(stays);
        for argument in arguments {
            query = match argument {
                Argument::Text(text) => query.bind(*text),
                Argument::Int(number) => query.bind(*number),
                Argument::Float(number) => query.bind(*number),
                Argument::Bytes(bytes) => query.bind(*bytes),
            };
        }
        Ok(boxed(query.fetch_all(&mut *self).await?))
    }

    async fn run(&mut self, sql: String) -> Result<Rows, sqlx::Error> {
        Ok(boxed((&mut *self).fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await?))
    }
}

fn boxed<R: Cells + 'static>(rows: Vec<R>) -> Rows {
    rows.into_iter().map(|row| Box::new(row) as Box<dyn Cells>).collect()
}
