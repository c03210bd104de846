//! Scripts on a connection of our own: what they bind and give, and what errors mean.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};
use sqlx::Sqlite;
use sqlx::error::{DatabaseError, ErrorKind};

use super::file::{BUSY_TIMEOUT, LOG_BYTES};
use crate::backend::database::connections;
use crate::backend::database::dialect::Script;
use crate::backend::database::problem::{Miss, Problem};
use crate::backend::database::statement::{Argument, Cells, Rows};

/// More than all scripts have.
const KEPT_STATEMENTS: usize = 64;

/// The statements of each script.
pub(super) type Texts = HashMap<Script, Vec<String>>;

pub(super) fn texts(bodies: &HashMap<Script, Arc<str>>) -> Texts {
    // A number says which argument is meant, whatever the others are.
    let statements = |body: &str| {
        let statements = body.split(";\n").map(|text| text.trim_end().replace('$', "?"));
        statements.filter(|text| !text.is_empty()).collect()
    };
    bodies.iter().map(|(script, body)| (*script, statements(body))).collect()
}

/// A connection to a file that was made before.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON")?;
    // A file that was made by others has pages of its own size.
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_BYTES / page_bytes.max(1))?;
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    Ok(connection)
}

/// Runs scripts in one transaction.
pub(super) fn write<'a>(
    connection: &Connection,
    texts: &Texts,
    is_durable: bool,
    scripts: impl Iterator<Item = (Script, &'a [Value])>,
) -> rusqlite::Result<Vec<Rows>> {
    let synchronous = if is_durable { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.prepare_cached("BEGIN IMMEDIATE")?.raw_execute()?;
    let mut answers = Vec::new();
    for (script, arguments) in scripts {
        let statements = texts.get(&script).map(Vec::as_slice).unwrap_or_default();
        let mut rows = Vec::new();
        for text in statements {
            run(connection, text, arguments, &mut rows)?;
        }
        answers.push(rows);
    }
    connection.prepare_cached("COMMIT")?.raw_execute()?;
    Ok(answers)
}

/// Undoes a transaction that failed. `false` if it is not known where the connection stands.
pub(super) fn undo(connection: &Connection) -> bool {
    connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok()
}

fn run(
    connection: &Connection,
    text: &str,
    arguments: &[Value],
    rows: &mut Rows,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(text)?;
    for (nth, argument) in (1..=statement.parameter_count()).zip(arguments) {
        statement.raw_bind_parameter(nth, argument)?;
    }
    let columns = statement.column_count();
    let mut found = statement.raw_query();
    while let Some(row) = found.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(read));
        rows.push(Box::new(Written(values.collect::<rusqlite::Result<_>>()?)));
    }
    Ok(())
}

/// A value that was found. Whether a text is one is for those to judge who know what it is about:
/// here it is bytes.
fn read(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// A value to bind, for a thread that gets to it later.
pub(super) fn owned(argument: &Argument<'_>) -> Value {
    match argument {
        Argument::Text(Some(text)) => Value::Text((*text).to_owned()),
        Argument::Int(Some(number)) => Value::Integer(*number),
        Argument::Float(Some(number)) => Value::Real(*number),
        Argument::Bytes(bytes) => Value::Blob(bytes.to_vec()),
        Argument::Text(None) | Argument::Int(None) | Argument::Float(None) => Value::Null,
    }
}

/// A row that a script gave.
struct Written(Vec<Value>);

impl Written {
    fn value(&self, column: usize) -> Result<&Value, Problem> {
        self.0.get(column).ok_or(Problem::Strange("a column is missing"))
    }
}

impl Cells for Written {
    fn int(&self, column: usize) -> Result<Option<i64>, Problem> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(*number)),
            _ => Err(Problem::Strange("a column is no number")),
        }
    }

    fn float(&self, column: usize) -> Result<Option<f64>, Problem> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Real(number) => Ok(Some(*number)),
            _ => Err(Problem::Strange("a column is no number")),
        }
    }

    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, Problem> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone().into_bytes())),
            Value::Blob(bytes) => Ok(Some(bytes.clone())),
            _ => Err(Problem::Strange("a column is no text")),
        }
    }
}

/// Why a transaction was not done.
pub(super) fn not_done(error: rusqlite::Error) -> Miss {
    match error {
        rusqlite::Error::SqliteFailure(..) => connections::not_done::<Sqlite>(as_sqlx(error)),
        // SQLite did what it was asked for, so nothing ended or was committed.
        _ => Miss::Final(Problem::Strange("what it gave or took is no value of ours")),
    }
}

/// Why there is no connection.
pub(super) fn not_opened(error: rusqlite::Error) -> Miss {
    connections::not_connected::<Sqlite>(as_sqlx(error))
}

fn as_sqlx(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let message = message.unwrap_or_else(|| failure.to_string());
            sqlx::Error::Database(Box::new(Refused { code: failure.extended_code, message }))
        }
        other => sqlx::Error::Protocol(other.to_string()),
    }
}

/// An error that SQLite answered with.
#[derive(Debug)]
struct Refused {
    code: i32,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for Refused {}

impl DatabaseError for Refused {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
