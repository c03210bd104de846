//! What came back.

use super::super::problem::Problem;
use super::super::row;
use super::super::statement::{Cells, Rows};
use super::order::Holds;
use super::statement::{COLUMNS, Statement};
use crate::error::Error;
use crate::key::StateKey;
use crate::query::{Found, Hit, Page, Part, Position, Search, time};

/// Where the record begins, and what is behind it.
const RECORD: usize = 2;
const SAVED_AT: usize = 9;
const SAVED_BY: usize = 10;
const EXPIRES_AT: usize = 11;

/// A page, with the place of the next unless this is the last.
pub(super) fn page(
    location: &str,
    search: &Search,
    statement: &Statement,
    rows: &Rows,
) -> Result<Page, Problem> {
    let is_full = rows.len() >= search.limit;
    let next = match rows.last().filter(|_| is_full) {
        Some(last) => Some(position(statement, &**last)?),
        None => None,
    };
    let rows = rows.iter().map(|row| hit(location, search, &**row)).collect();
    Ok(Page::new(rows, next))
}

fn position(statement: &Statement, row: &dyn Cells) -> Result<Position, Problem> {
    const NULL: Problem = Problem::Strange("a value to order by is null");
    let columns = statement.order.iter().zip(COLUMNS..);
    let parts = columns.map(|(holds, column)| {
        Ok(match holds {
            Holds::Int | Holds::Time => Part::Int(row.int(column)?.ok_or(NULL)?),
            Holds::Float => Part::Float(row.float(column)?.ok_or(NULL)?),
            Holds::Text => Part::Text(row::text(row, column)?.ok_or(NULL)?),
        })
    });
    parts.collect::<Result<_, Problem>>().map(Position::new)
}

fn hit(location: &str, search: &Search, row: &dyn Cells) -> Result<Hit, Error> {
    let strange = |problem| Error::backend(None, location, "query states", problem);
    let id = |column| {
        let text = row::text(row, column).map_err(strange)?;
        text.ok_or_else(|| strange(Problem::Strange("an id is null")))
    };
    let key = StateKey::new(id(0)?, id(1)?)?;
    let strange = |problem| Error::backend(Some(&key), location, "query states", problem);
    let record = row::record(location, &key, row, RECORD)?;
    let record = record.ok_or_else(|| Error::corrupt(&key, location, "it has no version"))?;
    let saved_at = row.int(SAVED_AT).map_err(strange)?.unwrap_or(0);
    let saved_by = row::text(row, SAVED_BY).map_err(strange)?.unwrap_or_default();
    let expires_at = row.int(EXPIRES_AT).map_err(strange)?;
    let found = Found::new(&record, time(saved_at), saved_by, expires_at.map(time));
    Ok(Hit::new(found, search.with_states.then_some(record)))
}

/// A plan, line by line.
pub(super) fn plan(rows: &Rows, column: usize) -> Result<Vec<String>, Problem> {
    rows.iter().map(|row| row::text(&**row, column).map(Option::unwrap_or_default)).collect()
}
