//! The way to the server, whichever it is: one, the one that sentinels name, or the many of a
//! cluster.
//!
//! A request is asked until it is answered, within bounds. After each try it is known whether it
//! may have been done ([`Miss`]); what is built on top of this tells the caller the truth by it.
//! The cluster clients of redis-rs reconnect, follow redirections and try again inside, where that
//! knowledge is lost. They also take one connection for everything: a large value would hold up
//! the renewal of a lease, and `WAIT` could not follow the write on the connection that wrote. So
//! the routing here is our own, and thin: a map of slots to [`Node`]s, each with the same lanes
//! that a single server has.

mod address;
mod cluster;
mod lane;
mod miss;
mod node;
mod own_task;
mod per_runtime;
mod sentinel;
mod slots;
mod tls;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use redis::{RedisResult, Value};
use tokio::time::{Instant, sleep};

use self::address::Access;
pub(super) use self::address::Address;
use self::cluster::Cluster;
use self::miss::Miss;
pub(super) use self::node::Node;
use self::node::Way;
use self::sentinel::Sentinels;
pub(super) use self::tls::Certificates;
use super::RedisDurability;
use super::problem::{Failure, Problem};
use super::request::Request;
use super::url::Place;

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

/// What a server has to give.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Required {
    pub(super) durability: Option<RedisDurability>,
    /// How many replicas have to have what was written; 0 for none.
    pub(super) replicas: u32,
}

/// What holds for every server.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) location: String,
    pub(super) patience: Patience,
    pub(super) required: Required,
}

/// The way to the records.
pub(super) struct Network {
    terms: Arc<Terms>,
    topology: Topology,
}

enum Topology {
    /// One server, or the one that sentinels name.
    One(Arc<Node>),
    Cluster(Arc<Cluster>),
}

/// What came back.
pub(super) struct Answer {
    pub(super) values: Vec<Value>,
    /// How many replicas have what was written, if it was to wait for them.
    pub(super) waited: Option<Value>,
    /// Whether an earlier try of the request may have been done too.
    pub(super) is_doubtful: bool,
}

impl Answer {
    /// The answer to the last command.
    pub(super) fn last(mut self) -> Result<Value, Problem> {
        self.values.pop().ok_or(Problem::Strange("no answer"))
    }
}

impl Network {
    /// Fails if a certificate cannot be used.
    pub(super) fn new(
        place: Place,
        certificates: &Certificates,
        terms: Terms,
    ) -> RedisResult<Self> {
        let terms = Arc::new(terms);
        let one = |way| Topology::One(Arc::new(Node::new(way, Arc::clone(&terms))));
        let topology = match place {
            Place::Server(server) => one(Way::Server(certificates.client(server)?)),
            Place::Sentinels { addresses, sentinel, name, master } => {
                one(Way::Sentinels(Box::new(Sentinels {
                    addresses,
                    access: Access::like(sentinel, certificates)?,
                    master: Access::like(master, certificates)?,
                    name,
                    within: terms.patience.connect,
                    turn: AtomicUsize::new(0),
                })))
            }
            Place::Cluster { addresses, server } => {
                let access = Access::like(server, certificates)?;
                let cluster = Cluster::new(access, addresses, Arc::clone(&terms));
                Topology::Cluster(Arc::new(cluster))
            }
        };
        Ok(Self { terms, topology })
    }

    pub(super) fn location(&self) -> &str {
        &self.terms.location
    }

    /// How many replicas have to have what was written; 0 for none.
    pub(super) fn replicas(&self) -> u32 {
        self.terms.required.replicas
    }

    /// How long they have for that.
    pub(super) fn replicas_within(&self) -> Duration {
        // The answer comes after that, and in time.
        self.terms.patience.respond / 2
    }

    /// Whether one script may touch any keys.
    pub(super) fn is_one_slot(&self) -> bool {
        matches!(self.topology, Topology::One(_))
    }

    /// Connects now, unless there is a connection; without trying again. Gives what was found with
    /// it, in a cluster the least of all masters.
    pub(super) async fn connect(&self) -> Result<Option<RedisDurability>, Problem> {
        let deadline = Instant::now() + self.terms.patience.connect;
        let mut least = Some(RedisDurability::Always);
        for node in self.masters_now(deadline).await.map_err(Miss::problem)? {
            least = least.min(node.connect(deadline).await.map_err(Miss::problem)?);
        }
        Ok(least)
    }

    /// All servers that have records.
    pub(super) async fn masters(&self) -> Result<Vec<Arc<Node>>, Failure> {
        let deadline = Instant::now() + self.terms.patience.retry;
        let masters = self.masters_now(deadline).await;
        masters.map_err(|miss| Failure::from(miss.problem()))
    }

    async fn masters_now(&self, deadline: Instant) -> Result<Vec<Arc<Node>>, Miss> {
        match &self.topology {
            Topology::One(node) => Ok(vec![Arc::clone(node)]),
            Topology::Cluster(cluster) => cluster.masters(deadline).await,
        }
    }

    /// Sends a request until it is answered, within bounds, and with no error that counts.
    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        self.persist(request, None).await
    }

    /// The same, to this server.
    pub(super) async fn ask_at(
        &self,
        node: &Arc<Node>,
        request: &Request,
    ) -> Result<Answer, Failure> {
        self.persist(request, Some(node)).await
    }

    async fn persist(
        &self,
        request: &Request,
        node: Option<&Arc<Node>>,
    ) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.terms.patience.retry;
        let (mut is_doubtful, mut pause) = (false, FIRST_PAUSE);
        loop {
            let (problem, may_try_again) = match self.try_once(request, node, deadline).await {
                Ok(mut values) => {
                    let waited = request.waited(&mut values);
                    return Ok(Answer { values, waited, is_doubtful });
                }
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

    async fn try_once(
        &self,
        request: &Request,
        node: Option<&Arc<Node>>,
        deadline: Instant,
    ) -> Result<Vec<Value>, Miss> {
        match (node, &self.topology) {
            (Some(node), _) | (None, Topology::One(node)) => node.try_once(request, deadline).await,
            (None, Topology::Cluster(cluster)) => cluster.try_once(request, deadline).await,
        }
    }

    /// Sends many requests of one command each. Gives their answers in the same order.
    pub(super) async fn ask_each(&self, requests: Vec<Request>) -> Result<Vec<Value>, Failure> {
        let cluster = match &self.topology {
            Topology::One(_) => return Ok(self.ask(&Request::all(&requests)).await?.values),
            Topology::Cluster(cluster) => cluster,
        };
        let deadline = Instant::now() + self.terms.patience.retry;
        let together = cluster.try_each(&requests, deadline).await;
        let mut answers = Vec::with_capacity(requests.len());
        for (request, answer) in requests.iter().zip(together) {
            answers.push(match answer {
                Some(answer) => answer,
                None => self.ask(request).await?.last()?,
            });
        }
        Ok(answers)
    }
}
