//! The way to the server: connects when it is needed, and again when the connection is lost.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, Value};
use tokio::runtime::{self, Handle};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::durability::{self, RedisDurability};
use super::problem::{Failure, Problem, Refusal};
use super::request::{Request, Size};

/// How many connections are kept. One more, and the oldest is made anew when it is needed.
const MAX_LANES: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// Between two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    pub(super) respond: Duration,
    /// How long a request is tried again that was not done, or whose answer was lost.
    pub(super) retry: Duration,
}

/// The way to one server.
pub(super) struct Link {
    client: Client,
    location: String,
    patience: Patience,
    require: Option<RedisDurability>,
    is_one_slot: bool,
    /// A connection belongs to the runtime that made it. Large requests have one of their own: a
    /// lease would run out while its renewal waits behind them.
    lanes: Mutex<LruCache<(runtime::Id, Size), Arc<Lane>>>,
}

/// A connection, and who makes it.
#[derive(Default)]
struct Lane {
    connected: Mutex<Option<Connected>>,
    /// Whoever has it connects; the others wait for the result.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Connected {
    connection: MultiplexedConnection,
    number: u64,
    durability: Option<RedisDurability>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) values: Vec<Value>,
    /// Whether an earlier try of the request may have been done too.
    pub(super) is_doubtful: bool,
}

impl Answer {
    /// The answer to the last command.
    pub(super) fn last(mut self) -> Result<Value, Problem> {
        self.values.pop().ok_or(Problem::Strange("no answer"))
    }
}

/// Why one try failed, and what became of it.
enum Miss {
    /// It was done or not, and will not be done later: the server said so.
    Final(Problem),
    /// It was not done, and may be done in a moment.
    NotYet(Problem),
    /// It went out and may have been done.
    Doubtful(Problem),
}

impl Link {
    pub(super) fn new(
        client: Client,
        location: String,
        patience: Patience,
        require: Option<RedisDurability>,
    ) -> Self {
        let lanes = Mutex::new(LruCache::new(MAX_LANES));
        Self { client, location, patience, require, is_one_slot: true, lanes }
    }

    /// Whether one script may touch any keys.
    pub(super) fn is_one_slot(&self) -> bool {
        self.is_one_slot
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// Connects now, unless there is a connection; without trying again. Gives what was found with
    /// it.
    pub(super) async fn connect(&self) -> Result<Option<RedisDurability>, Problem> {
        let deadline = Instant::now() + self.patience.connect;
        match self.connected(&*self.lane(Size::Small)?, deadline).await {
            Ok(connected) => Ok(connected.durability),
            Err(Miss::Final(problem) | Miss::NotYet(problem) | Miss::Doubtful(problem)) => {
                Err(problem)
            }
        }
    }

    /// Sends a request until it is answered, within bounds, and with no error that counts.
    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.patience.retry;
        let (mut is_doubtful, mut pause) = (false, FIRST_PAUSE);
        loop {
            let (problem, may_try_again) = match self.try_once(request, deadline).await {
                Ok(values) => return Ok(Answer { values, is_doubtful }),
                Err(Miss::Final(problem)) => (problem, false),
                Err(Miss::NotYet(problem)) => (problem, Instant::now() < deadline),
                Err(Miss::Doubtful(problem)) => {
                    // However late it is: what is in doubt is looked at once more.
                    let is_first = !std::mem::replace(&mut is_doubtful, true);
                    (problem, is_first || Instant::now() < deadline)
                }
            };
            if !may_try_again {
                return Err(Failure { problem, is_doubtful });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    async fn try_once(&self, request: &Request, deadline: Instant) -> Result<Vec<Value>, Miss> {
        let lane = self.lane(request.size())?;
        let mut connected = self.connected(&lane, deadline).await?;
        let values = self.send(&lane, &mut connected, request).await?;
        let Some(refusal) = request.refusal(&values) else { return Ok(values) };
        let Some(script) = request.script.filter(|_| refusal.is_unknown_script()) else {
            return Err(refused(&lane, &connected, refusal));
        };
        // A new server, or one that was told to forget its scripts.
        let mut answers = Vec::new();
        for request in [&Request::load(script), request] {
            answers = self.send(&lane, &mut connected, request).await?;
            if let Some(refusal) = request.refusal(&answers) {
                return Err(refused(&lane, &connected, refusal));
            }
        }
        Ok(answers)
    }

    async fn send(
        &self,
        lane: &Lane,
        connected: &mut Connected,
        request: &Request,
    ) -> Result<Vec<Value>, Miss> {
        let within = self.patience.respond + request.allowance();
        let sending =
            connected.connection.send_packed_commands(&request.pipeline, 0, request.commands);
        let problem = match timeout(within, sending).await {
            Ok(Ok(values)) if values.len() == request.commands => return Ok(values),
            Ok(Ok(_)) => Problem::Strange("too few answers"),
            Ok(Err(error)) => Problem::Lost(error),
            Err(_) => Problem::TooSlow(within),
        };
        // Its answer may come yet, where the next one is waited for.
        lane.forget(connected);
        Err(Miss::Doubtful(problem))
    }

    async fn connected(&self, lane: &Lane, deadline: Instant) -> Result<Connected, Miss> {
        if let Some(connected) = lane.current() {
            return Ok(connected);
        }
        let within = self.patience.connect;
        let too_late = || Miss::NotYet(Problem::NoConnection(within));
        let deadline = deadline.max(Instant::now() + within);
        let _turn = timeout_at(deadline, lane.connecting.lock()).await.map_err(|_| too_late())?;
        if let Some(connected) = lane.current() {
            return Ok(connected);
        }
        let connected = timeout(within, self.open()).await.map_err(|_| too_late())??;
        lane.set(Some(connected.clone()));
        Ok(connected)
    }

    async fn open(&self) -> Result<Connected, Miss> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // The time-outs are ours: they depend on what is sent.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await.map_err(not_connected)?;
        let server = durability::ask(&mut connection).await.map_err(|problem| match &problem {
            Problem::Refused(refusal) if !refusal.is_passing() => Miss::Final(problem),
            _ => Miss::NotYet(problem),
        })?;
        if let Some(required) = self.require.filter(|required| server.durability < Some(*required))
        {
            let found = server.durability;
            return Err(Miss::Final(Problem::NotDurable { required, found }));
        }
        self.log(server);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Connected { connection, number, durability: server.durability })
    }

    fn log(&self, server: durability::ServerConfig) {
        let found = server.durability.map(|durability| durability.to_string());
        let durability = found.as_deref().unwrap_or("unknown");
        tracing::info!(location = %self.location, durability, "connected to Redis");
        if server.evicts_records {
            tracing::warn!(
                location = %self.location,
                "this server throws states away when its memory is full: set its \
                 `maxmemory-policy` to `noeviction`"
            );
        }
    }

    fn lane(&self, size: Size) -> Result<Arc<Lane>, Problem> {
        let runtime = Handle::try_current().map_err(|_| Problem::NoRuntime)?.id();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(lanes.get_or_insert((runtime, size), Arc::default)))
    }
}

impl Lane {
    fn current(&self) -> Option<Connected> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connected: Option<Connected>) {
        *self.connected.lock().unwrap_or_else(PoisonError::into_inner) = connected;
    }

    /// Connects anew for the next request, unless somebody has done so.
    fn forget(&self, lost: &Connected) {
        if self.current().is_some_and(|current| current.number == lost.number) {
            self.set(None);
        }
    }
}

impl From<Problem> for Miss {
    fn from(problem: Problem) -> Self {
        Self::Final(problem)
    }
}

fn refused(lane: &Lane, connected: &Connected, refusal: Refusal) -> Miss {
    if refusal.is_of_this_server() {
        lane.forget(connected);
    }
    if refusal.is_passing() { Miss::NotYet(refusal.into()) } else { Miss::Final(refusal.into()) }
}

fn not_connected(error: RedisError) -> Miss {
    match error.kind() {
        ErrorKind::AuthenticationFailed => Miss::Final(Problem::NotLetIn(error)),
        // A certificate that is not trusted, or a server that does not speak TLS.
        ErrorKind::Io if !is_io_of_the_network(&error) => Miss::Final(Problem::Unreachable(error)),
        ErrorKind::Io => Miss::NotYet(Problem::Unreachable(error)),
        ErrorKind::Server(redis::ServerErrorKind::BusyLoading) => {
            Miss::NotYet(Problem::Unreachable(error))
        }
        _ => Miss::Final(Problem::Unreachable(error)),
    }
}

fn is_io_of_the_network(error: &RedisError) -> bool {
    use std::error::Error as _;
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_none_or(|io| io.kind() != std::io::ErrorKind::InvalidData)
}
