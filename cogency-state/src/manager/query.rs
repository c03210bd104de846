//! Asking for many states.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StateManager;
use crate::backend::no_queries;
use crate::error::Error;
use crate::query::{Field, Filter, Found, Hit, OrderBy, Position, Search, check_filter};
use crate::record::Record;

/// How many rows are asked for at once, without their states and with them.
const PAGE: usize = 500;
const PAGE_WITH_STATES: usize = 50;

impl StateManager {
    /// Asks for states by what is known of them, and by what is in them: see
    /// [`query`](crate::query).
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// use cogency_state::query::{saved_at, state, user};
    /// use cogency_state::{DatabaseBackend, StateKey, StateManager};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let url = format!("sqlite:{}/agents.db", folder.path().display());
    /// let manager = StateManager::new(DatabaseBackend::connect(&url).await?);
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Run { stop_reason: String }
    /// # let key = StateKey::new("alice", "run 1")?;
    /// # manager.save_state(&key, Run { stop_reason: "error".into() }, None).await?;
    /// let query = manager.query()
    ///     .filter(user().eq("alice"))
    ///     .filter(state("$.stop_reason").eq("error"))
    ///     .order_by_descending(saved_at());
    /// assert_eq!(query.count().await?, 1);
    ///
    /// let mut rows = query.rows(); // a `futures_core::Stream`
    /// while let Some(found) = rows.next().await {
    ///     let found = found?;
    ///     println!("{} by {}", found.key, found.metadata.llm_model);
    /// }
    ///
    /// for (found, run) in query.states::<Run>().all().await? {
    ///     println!("{}: {}", found.key, run.stop_reason);
    /// }
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sqlite"))]
    /// # fn main() {}
    /// ```
    pub fn query(&self) -> Query {
        Query { manager: self.clone(), filter: Filter::all(), order: Vec::new(), limit: None }
    }
}

/// A question about many states. Nothing runs before an answer is asked for.
#[derive(Clone, Debug)]
#[must_use]
pub struct Query {
    manager: StateManager,
    filter: Filter,
    order: Vec<OrderBy>,
    limit: Option<usize>,
}

impl Query {
    /// Only those states; with several filters those that all of them mean.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = self.filter.and(filter);
        self
    }

    /// In this order, the least first; with several, those that are alike in one by the next. At
    /// the end, and without any, they are ordered by key.
    pub fn order_by(mut self, field: Field) -> Self {
        self.order.push(OrderBy::new(field, false));
        self
    }

    /// The same, the greatest first.
    pub fn order_by_descending(mut self, field: Field) -> Self {
        self.order.push(OrderBy::new(field, true));
        self
    }

    /// At most so many.
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = Some(rows);
        self
    }

    /// What is known of each state, without the state.
    pub fn rows(&self) -> Rows<Found> {
        Rows::new(self, PAGE, false, |_, found, _| Box::pin(async move { Ok(found) }))
    }

    /// What is known of each state, and the state.
    pub fn states<T>(&self) -> Rows<(Found, T)>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        Rows::new(self, PAGE_WITH_STATES, true, |manager, found, record| {
            Box::pin(async move {
                let location = manager.backend().location();
                let record = record.ok_or_else(|| {
                    Error::corrupt(&found.key, location, "it was found without its state")
                })?;
                let loaded = manager.read::<T>(record).await?;
                Ok((found, loaded.state))
            })
        })
    }

    /// How many there are, without regard to the limit.
    ///
    /// # Errors
    /// [`Error::Config`] if the backend [answers no queries](crate::Capabilities::queries) or the
    /// filter is wrong, before anything runs; [`Error::Backend`] if the backend fails.
    pub async fn count(&self) -> Result<u64, Error> {
        check_filter(&self.filter)?;
        let backend = self.manager.backend();
        if !backend.capabilities().queries {
            return Err(no_queries(backend.location()));
        }
        backend.count_states(&self.filter).await
    }
}

/// The rows of a result, page by page: a [`Stream`], for those who have `StreamExt`, and with
/// [`next`](Self::next) for those who have not.
///
/// A page is asked for when the one before it has been taken. Each sees what is there at its
/// moment: a state that is saved in between may move to where this has been, or has yet to come.
/// What does not move comes exactly once.
///
/// # Errors
/// A state that cannot be read is an error in its place, after which the next ones come. After
/// [`Error::Config`] (the backend answers no queries, or the query is wrong) and
/// [`Error::Backend`] nothing comes.
///
/// # Cancellation
/// It may be dropped, and a `next` that is waited for too: the next one goes on from there.
#[must_use = "it asks when it is polled"]
pub struct Rows<T> {
    manager: StateManager,
    search: Search,
    read: Reader<T>,
    /// How many may come yet.
    left: Option<usize>,
    page: usize,
    ready: VecDeque<Result<T, Error>>,
    asked: Option<Asked<T>>,
    is_over: bool,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// From a row to what is wanted of it.
type Reader<T> = fn(StateManager, Found, Option<Record>) -> Boxed<Result<T, Error>>;
/// The rows of a page, and where the next begins.
type Read<T> = (VecDeque<Result<T, Error>>, Option<Position>);
type Asked<T> = Boxed<Result<Read<T>, Error>>;

impl<T: Send + 'static> Rows<T> {
    fn new(query: &Query, page: usize, with_states: bool, read: Reader<T>) -> Self {
        let mut search = Search::new(query.filter.clone(), page);
        (search.order, search.with_states) = (query.order.clone(), with_states);
        Self {
            manager: query.manager.clone(),
            search,
            read,
            left: query.limit,
            page,
            ready: VecDeque::new(),
            asked: None,
            is_over: query.limit == Some(0),
        }
    }

    /// The next row; `None` behind the last.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// All rows.
    ///
    /// # Errors
    /// The first error.
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        while let Some(row) = self.next().await {
            rows.push(row?);
        }
        Ok(rows)
    }

    fn ask(&mut self) -> Asked<T> {
        self.search.limit = self.left.map_or(self.page, |left| left.min(self.page));
        let (manager, search, read) = (self.manager.clone(), self.search.clone(), self.read);
        Box::pin(async move {
            search.check()?;
            if !manager.backend().capabilities().queries {
                return Err(no_queries(manager.backend().location()));
            }
            let page = manager.backend().find_states(&search).await?;
            let mut rows = VecDeque::with_capacity(page.rows.len());
            for hit in page.rows {
                rows.push_back(match hit {
                    Ok(Hit { found, record }) => read(manager.clone(), found, record).await,
                    Err(error) => Err(error),
                });
            }
            Ok((rows, page.next))
        })
    }

    fn take(&mut self, read: Read<T>) {
        let (rows, next) = read;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(rows.len());
        }
        self.is_over = next.is_none() || self.left == Some(0);
        self.search.after = next;
        self.ready = rows;
    }
}

/// No row is pinned.
impl<T> Unpin for Rows<T> {}

impl<T: Send + 'static> Stream for Rows<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(row) = this.ready.pop_front() {
                return Poll::Ready(Some(row));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            let mut asked = this.asked.take().unwrap_or_else(|| this.ask());
            let Poll::Ready(read) = asked.as_mut().poll(context) else {
                this.asked = Some(asked);
                return Poll::Pending;
            };
            match read {
                Ok(read) => this.take(read),
                Err(error) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// Rows may hold states.
impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("search", &self.search).finish_non_exhaustive()
    }
}
