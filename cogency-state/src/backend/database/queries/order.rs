//! An order, and where in it a page begins.

use super::super::problem::Problem;
use super::sql::{Bound, Database, Json};
use super::statement::Binder;
use super::states::States;
use crate::query::{Column, Field, Of, OrderBy, Part};

/// One expression that is ordered by. It is never null.
pub(super) struct Term {
    /// What is compared.
    expression: String,
    /// What tells its value.
    pub(super) selected: String,
    pub(super) holds: Holds,
    descending: bool,
}

/// What a term's value is.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    Int,
    Float,
    Text,
    /// Microseconds since 1970, to be compared as a time.
    Time,
}

impl Term {
    fn new(expression: String, holds: Holds, descending: bool) -> Self {
        Self { selected: expression.clone(), expression, holds, descending }
    }

    pub(super) fn to_sql(&self) -> String {
        self.by(&self.expression)
    }

    /// An order by what has its value.
    pub(super) fn by(&self, expression: &str) -> String {
        let direction = if self.descending { " DESC" } else { "" };
        format!("{expression}{direction}")
    }

    fn argument(&self, binder: &mut Binder<'_>, part: &Part) -> Result<String, Problem> {
        match (self.holds, part) {
            (Holds::Int, Part::Int(number)) => Ok(binder.bind(Bound::Int(*number))),
            (Holds::Time, Part::Int(micros)) => Ok(binder.time(*micros)),
            (Holds::Float, Part::Float(number)) => Ok(binder.bind(Bound::Float(*number))),
            (Holds::Text, Part::Text(text)) => Ok(binder.held(text.clone())),
            _ => Err(ANOTHER),
        }
    }
}

const ANOTHER: Problem = Problem::Strange("the position is that of another query");

/// What is ordered by: the fields, and the key.
pub(super) fn terms(states: States<'_>, order: &[OrderBy]) -> Vec<Term> {
    let database = states.database;
    let mut terms: Vec<_> = order.iter().flat_map(|by| of(states, by)).collect();
    let descending = order.last().is_some_and(|by| by.descending);
    let keys = [Column::User, Column::Session];
    terms.extend(keys.map(|key| Term::new(database.sql.column(key), Holds::Text, descending)));
    terms
}

fn of(states: States<'_>, by: &OrderBy) -> Vec<Term> {
    let Field(of) = &by.field;
    let term = |expression, holds| Term::new(expression, holds, by.descending);
    match of {
        Of::Column(column) => of_column(states.database, *column, by.descending),
        Of::Json(document, Ok(path)) => {
            let json = states.database.sql.json(&states.at(*document, path));
            let Json { kind, key, number, rest, .. } = json;
            vec![
                term(kind, Holds::Int),
                term(key, Holds::Text),
                term(number, Holds::Float),
                term(rest, Holds::Int),
            ]
        }
        Of::Json(_, Err(_)) => Vec::new(),
    }
}

fn of_column(database: &Database, column: Column, descending: bool) -> Vec<Term> {
    let sql = database.sql;
    let expression = sql.column(column);
    let term = |expression, holds| Term::new(expression, holds, descending);
    let is_there = || term(format!("CASE WHEN {expression} IS NULL THEN 0 ELSE 1 END"), Holds::Int);
    match column {
        Column::User | Column::Session => vec![term(expression, Holds::Text)],
        Column::Version => vec![term(expression, Holds::Int)],
        Column::SavedAt => {
            let selected = sql.micros(&expression);
            vec![Term { selected, ..term(expression, Holds::Time) }]
        }
        Column::ExpiresAt => {
            let or_first = format!("COALESCE({}, 0)", sql.micros(&expression));
            vec![is_there(), term(or_first, Holds::Int)]
        }
        Column::StateType | Column::Provider | Column::Model | Column::Phase | Column::SavedBy => {
            let or_empty = sql.beginning(&format!("COALESCE({expression}, '')"));
            vec![is_there(), term(or_empty, Holds::Text)]
        }
    }
}

/// Whether a row comes behind a position.
pub(super) fn behind(
    binder: &mut Binder<'_>,
    terms: &[Term],
    parts: &[Part],
) -> Result<String, Problem> {
    if terms.len() != parts.len() {
        return Err(ANOTHER);
    }
    let descending = terms.first().is_some_and(|term| term.descending);
    let is_uniform = terms.iter().all(|term| term.descending == descending);
    if is_uniform && binder.database.sql.compares_rows() {
        return as_row(binder, terms, parts, descending);
    }
    in_turn(binder, terms, parts)
}

fn as_row(
    binder: &mut Binder<'_>,
    terms: &[Term],
    parts: &[Part],
    descending: bool,
) -> Result<String, Problem> {
    let expressions: Vec<_> = terms.iter().map(|term| &*term.expression).collect();
    let arguments = terms.iter().zip(parts).map(|(term, part)| term.argument(binder, part));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?.join(", ");
    let sign = if descending { "<" } else { ">" };
    Ok(format!("({}) {sign} ({arguments})", expressions.join(", ")))
}

/// `a > 1 OR a = 1 AND (b > 2 OR ..)`
fn in_turn(binder: &mut Binder<'_>, terms: &[Term], parts: &[Part]) -> Result<String, Problem> {
    let (Some((term, terms)), Some((part, parts))) = (terms.split_first(), parts.split_first())
    else {
        return Ok("1 = 0".to_owned());
    };
    let sign = if term.descending { "<" } else { ">" };
    let (expression, argument) = (&term.expression, term.argument(binder, part)?);
    let again = term.argument(binder, part)?;
    let rest = in_turn(binder, terms, parts)?;
    Ok(format!("({expression} {sign} {argument} OR ({expression} = {again} AND {rest}))"))
}
