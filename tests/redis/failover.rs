//! A master is killed under load, and a replica takes its place.
//!
//! Where a replica has to have each save before it is acknowledged, nothing acknowledged is lost.
//! Where not, the last saves may be lost; in either case nothing happens twice, and what was said
//! not to have happened has not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cogency_state::{Error, RedisBackend, StateManager, robust};
use cogency_state_tests::redis::{RedisCluster, RedisServer, Sentinels, fresh_prefix};

use crate::key;

/// Before a server is taken to be down.
const NODE_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long servers and calls may take to go on.
const PATIENCE: Duration = Duration::from_secs(60);

#[robust(persist = manager)]
async fn append(
    state: &mut Vec<u64>,
    manager: &StateManager,
    user_id: &str,
    entry: u64,
) -> Result<usize, Error> {
    state.push(entry);
    Ok(state.len() - 1)
}

/// What became of the entries of one user.
#[derive(Clone, Debug, Default)]
struct Entries {
    /// By entry, its place.
    acknowledged: HashMap<u64, usize>,
    unknown: Vec<u64>,
}

/// Calls of some tasks on some keys, until they are stopped.
struct Load {
    users: Vec<String>,
    urls: Vec<String>,
    entries: Arc<Mutex<HashMap<String, Entries>>>,
    is_over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// A task for each URL, so that they compete as processes do.
    fn start(urls: &[String], query: &str, users: usize) -> Self {
        let mut load = Self {
            users: (0..users).map(|number| format!("user {number}")).collect(),
            urls: urls.iter().map(|url| format!("{url}?{query}")).collect(),
            entries: Arc::default(),
            is_over: Arc::default(),
            tasks: Vec::new(),
        };
        load.tasks = (0..urls.len()).map(|number| load.task(number)).collect();
        load
    }

    fn task(&self, number: usize) -> tokio::task::JoinHandle<()> {
        let manager = open(&self.urls[number]);
        let mut users = self.users.clone();
        users.rotate_left(number % self.users.len());
        let (entries, is_over) = (Arc::clone(&self.entries), Arc::clone(&self.is_over));
        tokio::spawn(async move {
            for user in users.iter().cycle() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let entry = next_entry();
                let result = append(&manager, user, entry).await;
                let mut entries = entries.lock().unwrap();
                let entries = entries.entry(user.clone()).or_default();
                match result {
                    Ok(place) => drop(entries.acknowledged.insert(entry, place)),
                    Err(Error::OutcomeUnknown { .. }) => entries.unknown.push(entry),
                    // Nothing was saved.
                    Err(
                        Error::LeaseLost { .. }
                        | Error::LeaseTimeout { .. }
                        | Error::Backend { .. },
                    ) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    }

    /// Waits until each user has new entries.
    async fn goes_on(&self) {
        let count = || {
            let entries = self.entries.lock().unwrap();
            let of = |user| entries.get(user).map_or(0, |entries| entries.acknowledged.len());
            self.users.iter().map(of).collect::<Vec<_>>()
        };
        let (before, begun) = (count(), Instant::now());
        while count().iter().zip(&before).any(|(now, before)| now <= before) {
            assert!(begun.elapsed() < PATIENCE, "{before:?}, {:?}", count());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }

    /// What is stored at the end, beside what was said.
    async fn ends(mut self) -> Vec<(Vec<u64>, Entries)> {
        self.stop().await;
        let (manager, mut all) = (open(&self.urls[0]), Vec::new());
        for user in &self.users {
            let stored = manager.load_state::<Vec<u64>>(&key(user)).await.unwrap().unwrap().state;
            assert_eq!(manager.list_states(user).await.unwrap(), [key(user)]);
            all.push((stored, self.entries.lock().unwrap().remove(user).unwrap()));
        }
        all
    }
}

fn open(url: &str) -> StateManager {
    let builder = RedisBackend::builder(url)
        .lease_ttl(Duration::from_secs(1))
        .connect_timeout(Duration::from_secs(1))
        .response_timeout(Duration::from_secs(2))
        .retry_for(Duration::from_secs(20))
        // Some keep each state whole, some in its history: the same ones, in turn.
        .whole_up_to(fastrand::usize(..2) << 16);
    crate::strict(builder.build().unwrap())
}

fn next_entry() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Fails if an entry is there twice, or is there and was said not to be.
fn nothing_happened_twice(stored: &[u64], entries: &Entries) {
    let mut sorted = stored.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), stored.len(), "an entry is there twice");
    for entry in stored {
        let is_known = entries.acknowledged.contains_key(entry) || entries.unknown.contains(entry);
        assert!(is_known, "{entry} is there and was refused");
    }
}

/// How many acknowledged entries are not where they were put.
fn lost(stored: &[u64], entries: &Entries) -> usize {
    let is_lost = |(entry, place): &(&u64, &usize)| stored.get(**place) != Some(*entry);
    entries.acknowledged.iter().filter(is_lost).count()
}

/// A master goes away while calls go on, its replica takes over, and the old one comes back.
async fn survives_a_failover(
    urls: &[String],
    users: usize,
    (old, new): (&RedisServer, &RedisServer),
    goes: impl FnOnce(),
    comes_back: impl FnOnce(),
) {
    let (prefix, other) = (fresh_prefix(), fresh_prefix());
    let safe = Load::start(urls, &format!("require=replicas(1)&prefix={prefix}"), users);
    let fast = Load::start(urls, &format!("prefix={other}"), users);
    safe.goes_on().await;
    fast.goes_on().await;
    // The replica does not hear of the last saves.
    new.pause();
    old.run::<()>(&["CLIENT", "KILL", "TYPE", "replica"]);
    fast.goes_on().await;
    goes();
    new.resume();
    let begun = Instant::now();
    while !new.is_master() {
        assert!(begun.elapsed() < PATIENCE, "the replica does not take over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It needs no replica, and goes on at once.
    fast.goes_on().await;
    comes_back();
    safe.goes_on().await;
    for (stored, entries) in safe.ends().await {
        nothing_happened_twice(&stored, &entries);
        assert_eq!(lost(&stored, &entries), 0, "acknowledged with a replica, and lost");
    }
    let mut all_lost = 0;
    for (stored, entries) in fast.ends().await {
        nothing_happened_twice(&stored, &entries);
        all_lost += lost(&stored, &entries);
    }
    assert!(all_lost > 0, "the replica had everything: nothing was tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_by_sentinels_loses_nothing_with_replicas_and_repeats_nothing_without() {
    let sentinels = Sentinels::start();
    let [old, new] = sentinels.servers();
    let comes_back = || {
        old.restart();
        // The sentinels would do so in some seconds.
        old.run::<()>(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
    };
    survives_a_failover(&sentinels.urls(), 4, (old, new), || old.kill(), comes_back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_master_that_stood_still_and_was_replaced_loses_nothing_with_replicas() {
    let sentinels = Sentinels::start();
    let [old, new] = sentinels.servers();
    // It goes on where it stood, and does not know yet that it was replaced.
    let (goes, comes_back) = (|| old.pause(), || old.resume());
    survives_a_failover(&sentinels.urls(), 4, (old, new), goes, comes_back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_in_a_cluster_loses_nothing_with_replicas_and_repeats_nothing_without() {
    let cluster = RedisCluster::start(NODE_TIMEOUT);
    let servers = cluster.servers();
    let (old, new) = (&servers[0], &servers[3]);
    let (goes, comes_back) = (|| old.kill(), || old.restart());
    survives_a_failover(&cluster.urls(), 12, (old, new), goes, comes_back).await;
    // The keys were on all masters.
    assert!(servers.iter().all(|server| server.run::<usize>(&["DBSIZE"]) > 0));
}
