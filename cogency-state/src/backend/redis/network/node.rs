//! One server: connects when it is needed, and again when the connection is lost.

use std::sync::Arc;

use redis::{AsyncConnectionConfig, Client, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::Terms;
use super::lane::{Connected, Lane, Lanes};
use super::miss::Miss;
use super::own_task::on_its_own;
use super::sentinel::Sentinels;
use crate::backend::redis::RedisDurability;
use crate::backend::redis::durability::{self, ServerConfig};
use crate::backend::redis::problem::{Problem, Refusal};
use crate::backend::redis::replication::{self, Role};
use crate::backend::redis::request::{Request, Traffic};

/// A server.
pub(in crate::backend::redis) struct Node {
    way: Way,
    terms: Arc<Terms>,
    lanes: Lanes,
}

/// How it is found.
pub(super) enum Way {
    /// It is this one.
    Server(Client),
    /// It is this one, until another one takes its place in the cluster.
    Member(Client),
    /// It is the one that these name.
    Sentinels(Box<Sentinels>),
}

impl Way {
    /// Whether there may be another one in its place.
    fn has_successors(&self) -> bool {
        !matches!(self, Self::Server(_))
    }

    async fn client(&self) -> Result<Client, Miss> {
        match self {
            Self::Server(client) | Self::Member(client) => Ok(client.clone()),
            Self::Sentinels(sentinels) => sentinels.master().await,
        }
    }
}

impl Node {
    pub(super) fn new(way: Way, terms: Arc<Terms>) -> Self {
        Self { way, terms, lanes: Lanes::new() }
    }

    pub(super) async fn connect(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Option<RedisDurability>, Miss> {
        Ok(self.connected(&self.lanes.get(Traffic::Small)?, deadline).await?.durability)
    }

    pub(super) async fn try_once(
        self: &Arc<Self>,
        request: &Request,
        deadline: Instant,
    ) -> Result<Vec<Value>, Miss> {
        let lane = self.lanes.get(request.traffic())?;
        let mut connected = self.connected(&lane, deadline).await?;
        let values = self.send(&lane, &mut connected, request).await?;
        let Some(refusal) = request.refusal(&values) else { return Ok(values) };
        let Some(script) = request.script.filter(|_| refusal.is_unknown_script()) else {
            return Err(self.refused(&lane, &connected, refusal));
        };
        // A new server, or one that was told to forget its scripts.
        let mut answers = Vec::new();
        for request in [&Request::load(script), request] {
            answers = self.send(&lane, &mut connected, request).await?;
            if let Some(refusal) = request.refusal(&answers) {
                return Err(self.refused(&lane, &connected, refusal));
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
        let within = self.terms.patience.respond + request.allowance();
        let sending =
            connected.connection.send_packed_commands(&request.pipeline, 0, request.commands);
        let problem = match timeout(within, sending).await {
            Ok(Ok(values)) if values.len() == request.commands => {
                return Ok(request.answers(values));
            }
            Ok(Ok(_)) => Problem::Strange("too few answers"),
            Ok(Err(error)) => Problem::Lost(error),
            Err(_) => Problem::TooSlow(within),
        };
        // Its answer may come yet, where the next one is waited for.
        lane.forget(connected);
        Err(Miss::Doubtful(problem))
    }

    async fn connected(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        deadline: Instant,
    ) -> Result<Connected, Miss> {
        if let Some(connected) = lane.current() {
            return Ok(connected);
        }
        let (node, lane) = (Arc::clone(self), Arc::clone(lane));
        on_its_own(async move { node.connect_in_turn(&lane, deadline).await }).await
    }

    async fn connect_in_turn(&self, lane: &Lane, deadline: Instant) -> Result<Connected, Miss> {
        let within = self.terms.patience.connect;
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
        // The time-outs are ours: they depend on what is sent.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let client = self.way.client().await?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await.map_err(Miss::not_connected)?;
        let required = self.terms.required;
        if required.replicas > 0 || matches!(self.way, Way::Sentinels(_)) {
            let role = replication::ask(&mut connection).await.map_err(Miss::not_usable)?;
            role_suffices(role, required.replicas).map_err(Miss::NotYet)?;
        }
        let server = durability::ask(&mut connection).await.map_err(Miss::not_usable)?;
        if let Some(required) = required.durability.filter(|level| server.durability < Some(*level))
        {
            let found = server.durability;
            return Err(Miss::Final(Problem::NotDurable { required, found }));
        }
        self.log(&client, server);
        Ok(Connected::new(connection, server.durability))
    }

    fn log(&self, client: &Client, server: ServerConfig) {
        let found = server.durability.map(|durability| durability.to_string());
        let durability = found.as_deref().unwrap_or("unknown");
        let (location, address) = (&self.terms.location, client.get_connection_info().addr());
        tracing::info!(location, server = %address, durability, "connected to Redis");
        if server.evicts {
            tracing::warn!(
                location,
                server = %address,
                "this server throws states away when its memory is full: set its \
                 `maxmemory-policy` to `noeviction`"
            );
        }
    }

    fn refused(&self, lane: &Lane, connected: &Connected, refusal: Refusal) -> Miss {
        if refusal.is_of_this_server() {
            lane.forget(connected);
            if self.way.has_successors() {
                return Miss::NotYet(refusal.into());
            }
        }
        if refusal.is_passing() {
            Miss::NotYet(refusal.into())
        } else {
            Miss::Final(refusal.into())
        }
    }
}

/// Whether a server is a master with so many replicas.
fn role_suffices(role: Role, required: u32) -> Result<(), Problem> {
    match role {
        Role::Master { replicas } if replicas >= required => Ok(()),
        Role::Master { replicas } => Err(Problem::TooFewReplicas { required, found: replicas }),
        Role::Other => Err(Problem::NotMaster),
    }
}
