//! A query as a text of SQL, and what it binds.

use serde_json::Number;

use super::super::problem::Problem;
use super::super::statement::Argument;
use super::condition;
use super::order::{self, Term};
use super::sql::{Bound, Database, name};
use super::states::States;
use crate::query::{Column, Document, Filter, Search};

/// What is selected before the columns of the order, by its names in a statement of parts.
const NAMES: [&str; COLUMNS] = [
    "user_id",
    "session_id",
    "version",
    "write_id",
    "schema_version",
    "state_type",
    "metadata",
    "checksum",
    "state",
    "saved_at",
    "saved_by",
    "expires_at",
];
/// How many columns that are.
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
    /// Those that the part is about that is being written.
    pub(super) states: States<'a>,
    bound: Vec<Bound>,
}

impl<'a> Binder<'a> {
    fn new(database: &'a Database) -> Self {
        Self { database, states: States::all(database), bound: Vec::new() }
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
    let are_asked = condition::asks_states(&search.filter)
        || search.order.iter().any(|by| by.field.is_in_state());
    let parts = States::parts(database, are_asked);
    let (mut binder, mut texts, mut terms) = (Binder::new(database), Vec::new(), Vec::new());
    for states in parts {
        binder.states = states;
        terms = order::terms(states, &search.order);
        texts.push(part(&mut binder, search, &terms)?);
    }
    let text = match &*texts {
        [only] if !search.with_states => only.clone(),
        [only] => with_states(database, only, &terms),
        parts => together(parts, &terms, search.limit),
    };
    let text = format!("{}{explain}{text}", database.sql.before());
    let order = terms.into_iter().map(|term| term.holds).collect();
    Ok(Statement { text, bound: binder.bound, order })
}

/// A page of some states.
fn part(binder: &mut Binder<'_>, search: &Search, terms: &[Term]) -> Result<String, Problem> {
    let (states, sql) = (binder.states, binder.database.sql);
    let (from, is_one) = states.from();
    let mut conditions = conditions(binder, &search.filter, is_one);
    if let Some(position) = &search.after {
        conditions.push(order::behind(binder, terms, position.parts())?);
    }
    // Without the state a row is read as one whose state is null.
    let (checksum, state) = if search.with_states {
        ("s.checksum", sql.as_text(states.column(Document::State)))
    } else {
        ("NULL", "'null'".to_owned())
    };
    let metadata = sql.as_text(states.column(Document::Metadata));
    let saved_at = sql.micros(&format!("s.{}", name(Column::SavedAt)));
    let expires_at = sql.micros(&format!("s.{}", name(Column::ExpiresAt)));
    let values = [
        "s.user_id",
        "s.session_id",
        "s.version",
        "s.write_id",
        "s.schema_version",
        "s.state_type",
        &metadata,
        checksum,
        &state,
        &saved_at,
        "s.saved_by",
        &expires_at,
    ];
    let values = values.iter().zip(NAMES).map(|(value, name)| format!("{value} AS {name}"));
    let ordered = terms.iter().enumerate();
    let ordered = ordered.map(|(nth, term)| format!("{} AS o{nth}", term.selected));
    Ok(format!(
        "SELECT {values} FROM {from} WHERE {conditions} ORDER BY {order_by} LIMIT {limit}",
        values = values.chain(ordered).collect::<Vec<_>>().join(", "),
        conditions = conditions.join(" AND "),
        order_by = terms.iter().map(Term::to_sql).collect::<Vec<_>>().join(", "),
        limit = search.limit,
    ))
}

/// The same page with the states that are apart: they are put together for its rows only.
fn with_states(database: &Database, page: &str, terms: &[Term]) -> String {
    let whole = database.put_together(&database.sql.as_text("{whole}"));
    let names = NAMES.iter().map(|name| match *name {
        "state" => format!("COALESCE(s.state, {whole})"),
        name => format!("s.{name}"),
    });
    let names = names.chain((0..terms.len()).map(|nth| format!("s.o{nth}")));
    let names = names.collect::<Vec<_>>().join(", ");
    format!("SELECT {names} FROM ({page}) s ORDER BY {}", by_names(terms))
}

/// The first of several pages.
fn together(pages: &[String], terms: &[Term], limit: usize) -> String {
    let pages = pages.iter().enumerate();
    let pages = pages.map(|(nth, page)| format!("SELECT * FROM ({page}) p{nth}"));
    let pages = pages.collect::<Vec<_>>().join(" UNION ALL ");
    format!("{pages} ORDER BY {} LIMIT {limit}", by_names(terms))
}

/// The order of a page whose columns have names.
fn by_names(terms: &[Term]) -> String {
    let by = terms.iter().enumerate().map(|(nth, term)| term.by(&format!("o{nth}")));
    by.collect::<Vec<_>>().join(", ")
}

/// How many there are.
pub(super) fn count(database: &Database, filter: &Filter) -> Statement {
    let parts = States::parts(database, condition::asks_states(filter));
    let (mut binder, mut texts) = (Binder::new(database), Vec::new());
    for states in parts {
        binder.states = states;
        let (from, is_one) = states.from();
        let conditions = conditions(&mut binder, filter, is_one).join(" AND ");
        texts.push(format!("(SELECT count(*) FROM {from} WHERE {conditions})"));
    }
    let text = format!("SELECT {}", texts.join(" + "));
    Statement { text, bound: binder.bound, order: Vec::new() }
}

fn conditions(
    binder: &mut Binder<'_>,
    filter: &Filter,
    is_one: Option<&'static str>,
) -> Vec<String> {
    let visible = binder.database.sql.visible().replace("{p}", &binder.database.prefix);
    let is_one = is_one.map(str::to_owned);
    is_one.into_iter().chain([condition::of(binder, filter), visible]).collect()
}
