//! A cluster: each slot of the keys has a master, and the map of them changes.
//!
//! The map is asked of any server (`CLUSTER SLOTS`) when there is none yet, and again when it
//! turned out to be old: a server was away, had no slots any more, or sent a request elsewhere
//! (`MOVED`). While a slot moves, `ASK` sends a single request to its new server. A script whose
//! keys are not all on one side gets `TRYAGAIN`; as a lease is a key of its own, calls on the keys
//! of a moving slot may have to wait until it has moved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::Value;
use tokio::time::{Instant, timeout_at};

use super::Terms;
use super::address::{Access, Address};
use super::miss::Miss;
use super::node::{Node, Way};
use super::own_task::on_its_own;
use super::per_runtime::PerRuntime;
use super::slots::SlotMap;
use crate::backend::redis::problem::{Moved, Problem, Refusal};
use crate::backend::redis::request::Request;

/// How often one try follows a request that is sent elsewhere.
const MAX_REDIRECTIONS: usize = 5;

/// The servers of a cluster.
pub(super) struct Cluster {
    access: Access,
    /// Where to look for it in the beginning.
    seeds: Vec<Address>,
    terms: Arc<Terms>,
    known: Mutex<Known>,
    /// Whoever has it asks for the map; the others wait for the result.
    asking: PerRuntime<(), tokio::sync::Mutex<()>>,
    /// Who is asked first.
    turn: AtomicUsize,
}

#[derive(Default)]
struct Known {
    /// `None` if it is to be asked for.
    map: Option<Arc<SlotMap>>,
    /// All servers of the last map.
    servers: Vec<Address>,
    nodes: HashMap<Address, Arc<Node>>,
}

impl Cluster {
    pub(super) fn new(access: Access, seeds: Vec<Address>, terms: Arc<Terms>) -> Self {
        let (known, asking) = (Mutex::default(), PerRuntime::new());
        Self { access, seeds, terms, known, asking, turn: AtomicUsize::new(0) }
    }

    pub(super) async fn masters(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Vec<Arc<Node>>, Miss> {
        let map = self.map(deadline).await?;
        let masters = map.masters();
        masters.iter().map(|master| Ok(self.node(master)?)).collect()
    }

    /// Sends many requests of one command each, together to each server. `None` is the answer of
    /// one that has to be asked by itself: its server was away, or its slot has moved.
    pub(super) async fn try_each(
        self: &Arc<Self>,
        requests: &[Request],
        deadline: Instant,
    ) -> Vec<Option<Value>> {
        let mut answers = vec![None; requests.len()];
        let Ok(map) = self.map(deadline).await else { return answers };
        let mut places: HashMap<&Address, Vec<usize>> = HashMap::new();
        for (place, request) in requests.iter().enumerate() {
            if let Some(master) = map.master(request.slot()) {
                places.entry(master).or_default().push(place);
            }
        }
        for (master, places) in places {
            let Ok(node) = self.node(master) else { continue };
            let together = Request::all(places.iter().filter_map(|place| requests.get(*place)));
            let values = node.try_once(&together.each_for_itself(), deadline).await;
            for (place, value) in places.into_iter().zip(values.unwrap_or_default()) {
                if let Some(answer) = answers.get_mut(place) {
                    *answer = Some(value).filter(|value| Refusal::in_answer(value).is_none());
                }
            }
        }
        answers
    }

    pub(super) async fn try_once(
        self: &Arc<Self>,
        request: &Request,
        deadline: Instant,
    ) -> Result<Vec<Value>, Miss> {
        let map = self.map(deadline).await?;
        let tried = self.try_by(&map, request, deadline).await;
        if tried.as_ref().is_err_and(is_of_an_old_map) {
            self.forget(&map);
        }
        tried
    }

    async fn try_by(
        &self,
        map: &Arc<SlotMap>,
        request: &Request,
        deadline: Instant,
    ) -> Result<Vec<Value>, Miss> {
        let master = map.master(request.slot()).ok_or_else(no_master)?;
        let (mut address, mut is_asking) = (master.clone(), false);
        for _ in 0..MAX_REDIRECTIONS {
            let node = self.node(&address)?;
            let tried = if is_asking {
                node.try_once(&request.asking(), deadline).await
            } else {
                node.try_once(request, deadline).await
            };
            let refusal = tried.as_ref().err().and_then(Miss::refusal);
            let Some((to, moved)) = refusal.and_then(Refusal::redirection) else { return tried };
            let Some(to) = Address::told(to, &address) else { return tried };
            if moved == Moved::ForGood {
                self.forget(map);
            }
            (address, is_asking) = (to, moved == Moved::ForThisTime);
        }
        Err(Miss::NotYet(Problem::Strange("it is sent from one server to the next")))
    }

    async fn map(self: &Arc<Self>, deadline: Instant) -> Result<Arc<SlotMap>, Miss> {
        if let Some(map) = self.known().map.clone() {
            return Ok(map);
        }
        let cluster = Arc::clone(self);
        on_its_own(async move { cluster.map_in_turn(deadline).await }).await
    }

    async fn map_in_turn(&self, deadline: Instant) -> Result<Arc<SlotMap>, Miss> {
        let within = self.terms.patience.connect;
        let deadline = deadline.max(Instant::now() + within);
        let asking = self.asking.get(())?;
        let turn = timeout_at(deadline, asking.lock()).await;
        let _turn = turn.map_err(|_| Miss::NotYet(Problem::NoConnection(within)))?;
        if let Some(map) = self.known().map.clone() {
            return Ok(map);
        }
        let map = Arc::new(self.ask_for_map().await?);
        let mut known = self.known();
        known.nodes.retain(|address, _| map.servers().contains(address));
        known.servers = map.servers().to_vec();
        known.map = Some(Arc::clone(&map));
        Ok(map)
    }

    /// The map as the first one knows it that answers. Each time another one is asked first: one
    /// that is cut off from the others has an old map.
    async fn ask_for_map(&self) -> Result<SlotMap, Miss> {
        let mut servers = self.known().servers.clone();
        let seeds = self.seeds.iter().filter(|seed| !servers.contains(seed)).cloned();
        servers.extend(seeds.collect::<Vec<_>>());
        let (first, count) = (self.turn.fetch_add(1, Ordering::Relaxed), servers.len());
        // Silent ones leave time to ask the others.
        let within = self.terms.patience.connect / 4;
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let mut missed = no_master();
        for server in servers.iter().cycle().skip(first % count.max(1)).take(count) {
            match self.access.ask(server, &command, within).await {
                Ok(answer) => match SlotMap::read(answer, server) {
                    Some(map) => return Ok(map),
                    None => missed = Miss::Final(Problem::Strange("not the slots of a cluster")),
                },
                Err(miss) => missed = miss,
            }
        }
        Err(missed)
    }

    /// Asks for the map the next time, unless somebody has done so.
    fn forget(&self, old: &Arc<SlotMap>) {
        let mut known = self.known();
        if known.map.as_ref().is_some_and(|map| Arc::ptr_eq(map, old)) {
            known.map = None;
        }
    }

    fn node(&self, address: &Address) -> Result<Arc<Node>, Problem> {
        if let Some(node) = self.known().nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        let client = self.access.client(address)?;
        let node = Arc::new(Node::new(Way::Member(client), Arc::clone(&self.terms)));
        Ok(Arc::clone(self.known().nodes.entry(address.clone()).or_insert(node)))
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_master() -> Miss {
    Miss::NotYet(Problem::NoMaster)
}

/// Whether a try failed in a way that another server may be the master now.
fn is_of_an_old_map(miss: &Miss) -> bool {
    let is_of_a_moving_slot = miss.refusal().is_some_and(Refusal::is_of_a_moving_slot);
    !matches!(miss, Miss::Final(_)) && !is_of_a_moving_slot
}
