//! A query as a text of SQL, and what it binds.

use serde_json::Number;

use super::super::problem::Problem;
use super::super::statement::Argument;
use super::sql::{Bound, Database, name};
use super::{condition, order};
use crate::query::{Column, Filter, Search};

/// Columns that are selected before those of the order.
pub(super) const COLUMNS: usize = 12;

/// SQL, and what it binds.
pub(super) struct Statement {
    pub(super) text: String,
    bound: Vec<Bound>,
    /// What the columns behind [`COLUMNS`] are.
    pub(super) order: Vec<order::Holds>,
}

impl Statement {
    pub(super) fn arguments(&self) -> impl Iterator<Item = Argument<'_>> {
        self.bound.iter().map(|bound| match bound {
            Bound::Int(number) => Argument::Int(Some(*number)),
            Bound::Float(number) => Argument::Float(Some(*number)),
            Bound::Text(text) => Argument::Text(Some(text)),
        })
    }
}

/// What is bound, in the order in which it stands in the text.
pub(super) struct Binder<'a> {
    pub(super) database: &'a Database,
    bound: Vec<Bound>,
}

impl<'a> Binder<'a> {
    fn new(database: &'a Database) -> Self {
        Self { database, bound: Vec::new() }
    }

    pub(super) fn bind(&mut self, bound: Bound) -> String {
        self.bound.push(bound);
        self.database.sql.argument(self.bound.len())
    }

    /// A text as it is held, compared byte by byte.
    pub(super) fn text(&mut self, text: &str) -> String {
        let held = self.database.sql.held(text).into_owned();
        self.held(held)
    }

    /// A text that came from the database.
    pub(super) fn held(&mut self, text: String) -> String {
        let argument = self.bind(Bound::Text(text));
        self.database.sql.text(argument)
    }

    pub(super) fn float(&mut self, number: &Number) -> String {
        let (bound, before, after) = self.database.sql.float(number);
        format!("{before}{}{after}", self.bind(bound))
    }

    pub(super) fn time(&mut self, micros: i64) -> String {
        let (bound, before, after) = self.database.sql.time(micros);
        format!("{before}{}{after}", self.bind(bound))
    }
}

/// A page, or what is to stand before it to see its plan.
pub(super) fn select(
    database: &Database,
    search: &Search,
    explain: &str,
) -> Result<Statement, Problem> {
    let sql = database.sql;
    let terms = order::terms(database, &search.order);
    let mut binder = Binder::new(database);
    let mut conditions = conditions(&mut binder, &search.filter);
    if let Some(position) = &search.after {
        conditions.push(order::behind(&mut binder, &terms, position.parts())?);
    }
    // Without the state a row is read as one whose state is null.
    let state = if search.with_states {
        format!("s.checksum, {}", sql.as_text("s.state"))
    } else {
        "NULL, 'null'".to_owned()
    };
    let order_values: Vec<_> = terms.iter().map(|term| &*term.selected).collect();
    let order_by: Vec<_> = terms.iter().map(order::Term::to_sql).collect();
    let text = format!(
        "{before}{explain}SELECT s.user_id, s.session_id, s.version, s.write_id, s.schema_version, \
         s.state_type, {metadata}, {state}, {saved_at}, s.saved_by, {expires_at}, {order_values} \
         FROM {prefix}states s WHERE {conditions} ORDER BY {order_by} LIMIT {limit}",
        before = sql.before(),
        metadata = sql.as_text("s.metadata"),
        saved_at = sql.micros(&format!("s.{}", name(Column::SavedAt))),
        expires_at = sql.micros(&format!("s.{}", name(Column::ExpiresAt))),
        prefix = database.prefix,
        order_values = order_values.join(", "),
        conditions = conditions.join(" AND "),
        order_by = order_by.join(", "),
        limit = search.limit,
    );
    let order = terms.into_iter().map(|term| term.holds).collect();
    Ok(Statement { text, bound: binder.bound, order })
}

/// How many there are.
pub(super) fn count(database: &Database, filter: &Filter) -> Statement {
    let mut binder = Binder::new(database);
    let conditions = conditions(&mut binder, filter).join(" AND ");
    let text = format!("SELECT count(*) FROM {}states s WHERE {conditions}", database.prefix);
    Statement { text, bound: binder.bound, order: Vec::new() }
}

fn conditions(binder: &mut Binder<'_>, filter: &Filter) -> Vec<String> {
    let visible = binder.database.sql.visible().replace("{p}", &binder.database.prefix);
    vec![condition::of(binder, filter), visible]
}
