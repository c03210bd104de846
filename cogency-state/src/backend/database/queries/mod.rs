//! Questions about many states, as SQL.
//!
//! A filter becomes a condition (`condition`), an order becomes terms whose values a position holds
//! (`order`), and both are put together with what they bind (`statement`). A question about what is
//! in states is asked twice in one statement: of those that stand in their rows, where an index may
//! answer, and of those that are apart (`states`). What a value in a
//! document of JSON looks like to SQL is an [`sql::Json`]: a few expressions that each database
//! writes in its own way, and that an index can have (`indexes`). Values are bound. Paths are
//! written into the text, so that an index on one is found: what a name in one may be is checked
//! when it is read.

mod condition;
pub(crate) mod indexes;
mod order;
mod rows;
pub(crate) mod sql;
mod statement;
mod states;

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use self::statement::Statement;
use super::problem::{Failure, Miss, Problem};
use super::records::{LARGE, Records};
use super::statement::Rows;
use crate::error::Error;
use crate::query::{Filter, Page, Search};

impl Records {
    /// A page of what a search finds.
    pub(super) async fn find(&self, search: &Search) -> Result<Page, Error> {
        let found = async {
            let statement = statement::select(self.server.database(), search, "")?;
            let answer = self.select(&statement).await?;
            rows::page(&self.location, search, &statement, &answer).map_err(Failure::from)
        };
        found.await.map_err(|failure| self.failed(None, "query states", failure))
    }

    /// How many states are meant.
    pub(super) async fn count(&self, filter: &Filter) -> Result<u64, Error> {
        let counted = async {
            let statement = statement::count(self.server.database(), filter);
            let answer = self.select(&statement).await?;
            let count = answer.last().ok_or(Problem::Strange("no row"))?.int(0)?;
            Ok::<_, Failure>(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
        };
        counted.await.map_err(|failure| self.failed(None, "count states", failure))
    }

    /// What the database would do for a search.
    pub(super) async fn explain(&self, search: &Search) -> Result<Vec<String>, Error> {
        let explained = async {
            let database = self.server.database();
            let (explain, column) = database.sql.explain();
            let statement = statement::select(database, search, explain)?;
            let rows = self.select(&statement).await?;
            rows::plan(&rows, column).map_err(Failure::from)
        };
        explained.await.map_err(|failure| self.failed(None, "explain a query", failure))
    }

    /// Asks until there is an answer, within bounds: a question may be asked again.
    async fn select(&self, statement: &Statement) -> Result<Rows, Failure> {
        let within = self.patience.respond.max(sql::PATIENCE) + super::records::allowance(LARGE);
        let deadline = Instant::now() + self.patience.retry;
        let text: Arc<str> = statement.text.as_str().into();
        let arguments: Vec<_> = statement.arguments().collect();
        let mut pause = super::records::FIRST_PAUSE;
        loop {
            let miss = match self.connected().await {
                Ok(()) => match self.server.select(&text, &arguments, within).await {
                    Ok(rows) => return Ok(rows),
                    Err(miss) => miss,
                },
                Err(miss) => miss,
            };
            let problem = match miss {
                Miss::NotYet(_) | Miss::Doubtful(_) if Instant::now() < deadline => None,
                miss => Some(miss.problem()),
            };
            if let Some(problem) = problem {
                return Err(problem.into());
            }
            sleep(pause).await;
            pause = (pause * 2).min(super::records::LAST_PAUSE);
        }
    }
}
