//! Real servers that go away under load, while processes on two hosts go on, are killed while they
//! spool and while they replay, and both sides change what the other one has.
//!
//! For longer:
//! ```text
//! COGENCY_AWAY_SECONDS=30 cargo test -p cogency-state-tests --test outage away -- --nocapture
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cogency_state::{
    DatabaseBackend, RedisBackend, StateBackend, StateManager, StateManagerBuilder,
};
use cogency_state_tests::agent::{Agent, Said, What};
use cogency_state_tests::database::DatabaseServer;
use cogency_state_tests::ledger::{Entry, Ledger};
use cogency_state_tests::redis::RedisServer;
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{key, settled};

const AGENT: &str = env!("CARGO_BIN_EXE_agent");
/// Whose states all processes change, on both hosts: there are conflicts.
const SHARED: [&str; 3] = ["alice", "bob", "carol"];
const AWAY_SECONDS: u64 = 12;
const UP: Duration = Duration::from_secs(2);

/// A process of one of the hosts, that is listened to.
struct Watched {
    process: u32,
    number: u64,
    said: Arc<Mutex<Vec<Said>>>,
    listener: JoinHandle<()>,
}

impl Watched {
    fn start(url: &str, spool: &Path, number: u64) -> Self {
        let mut command = Command::new(AGENT);
        command.env("COGENCY_SPOOL_DIR", spool);
        command.args(["enter", url, &number.to_string(), "1000000"]).args(SHARED).arg(own(number));
        let mut agent = Agent::spawn(&mut command);
        let (process, said) = (agent.id(), Arc::new(Mutex::new(Vec::new())));
        let heard = Arc::clone(&said);
        let listener = thread::spawn(move || {
            loop {
                let line = agent.line();
                if line.is_empty() {
                    return;
                }
                heard.lock().unwrap().extend(Said::parse(&line));
            }
        });
        Self { process, number, said, listener }
    }

    /// Kills it, as `kill -9` does; what it was told last about each of its entries.
    fn kill(self, told: &mut BTreeMap<(String, Entry), What>) {
        assert!(!self.listener.is_finished(), "agent {} failed", self.number);
        let process = Pid::from_raw(self.process.try_into().unwrap()).unwrap();
        kill_process(process, Signal::KILL).unwrap();
        self.listener.join().unwrap();
        for said in self.said.lock().unwrap().drain(..) {
            let entry = Entry { agent: self.number, number: said.number };
            told.insert((said.user, entry), said.what);
        }
    }

    fn has_spooled(&self) -> bool {
        self.said.lock().unwrap().iter().any(|said| said.what == What::Spooled)
    }

    /// Until then it has nothing that it could go on from without the server.
    fn wait_until_it_saved(&self) {
        let own = own(self.number);
        let has_saved = |said: &Said| said.what == What::Saved && said.user == own;
        while !self.said.lock().unwrap().iter().any(has_saved) {
            assert!(!self.listener.is_finished(), "agent {} failed", self.number);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whose state only this agent changes: there is no conflict.
fn own(agent: u64) -> String {
    format!("own-{agent}")
}

/// What a test does with a server.
struct Server {
    url: String,
    kill: Box<dyn Fn()>,
    start: Box<dyn Fn()>,
}

#[test]
fn promise_09_nothing_acknowledged_is_lost_or_repeated_while_redis_is_away() {
    // Each write is on its disk before it is acknowledged.
    let server = Arc::new(RedisServer::start());
    let (url, other) = (server.url(), Arc::clone(&server));
    let kill = Box::new(move || server.kill());
    campaign(&Server { url, kill, start: Box::new(move || other.restart()) });
}

#[test]
fn promise_09_nothing_acknowledged_is_lost_or_repeated_while_postgres_is_away() {
    with_database(DatabaseServer::postgres());
}

#[test]
fn promise_09_nothing_acknowledged_is_lost_or_repeated_while_mariadb_is_away() {
    with_database(DatabaseServer::mariadb());
}

fn with_database(server: DatabaseServer) {
    let (url, server) = (server.url(), Arc::new(server));
    let other = Arc::clone(&server);
    let kill = Box::new(move || server.kill());
    campaign(&Server { url, kill, start: Box::new(move || other.start()) });
}

fn campaign(server: &Server) {
    let away = std::env::var("COGENCY_AWAY_SECONDS").map_or(AWAY_SECONDS, |s| s.parse().unwrap());
    let away = Duration::from_secs(away);
    let hosts = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut told = BTreeMap::new();
    let mut agents: Vec<_> =
        (0..4).map(|nth| Watched::start(&server.url, hosts[nth % 2].path(), nth as u64)).collect();
    agents.iter().for_each(Watched::wait_until_it_saved);
    thread::sleep(UP);
    (server.kill)();
    thread::sleep(away * 2 / 3);
    // Killed while it spools: another takes over.
    assert!(agents[0].has_spooled(), "nothing was spooled within {:?}", away * 2 / 3);
    agents.remove(0).kill(&mut told);
    agents.push(Watched::start(&server.url, hosts[0].path(), 10));
    thread::sleep(away / 3);
    (server.start)();
    // Killed while they replay, again and again.
    for number in 11..17 {
        thread::sleep(Duration::from_millis(fastrand::u64(20..400)));
        agents.remove(0).kill(&mut told);
        let host = &hosts[usize::from(number % 2 == 0)];
        agents.push(Watched::start(&server.url, host.path(), number));
    }
    thread::sleep(UP);
    for agent in agents {
        agent.kill(&mut told);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(check(&server.url, &hosts.each_ref().map(tempfile::TempDir::path), told));
}

async fn check(url: &str, hosts: &[&Path], told: BTreeMap<(String, Entry), What>) {
    let managers: Vec<_> = hosts.iter().map(|host| open(url, host)).collect();
    let mut kept: HashSet<(String, Entry)> = HashSet::new();
    let mut conflicts = 0;
    for manager in &managers {
        settled(manager).await;
        let health = manager.health().await;
        assert_eq!(health.damaged, 0, "{health:?}");
        for spooled in manager.spool().await.unwrap() {
            conflicts += 1;
            let ledger = manager.load_spooled::<Ledger>(&spooled).await.unwrap().state;
            let user = spooled.key.as_ref().unwrap().user_id();
            assert!(SHARED.contains(&user), "{user} had nobody to be in conflict with");
            kept.extend(ledger.entries.into_iter().map(|entry| (user.to_owned(), entry)));
        }
    }
    let mut figures: HashMap<&str, usize> = HashMap::new();
    let users: BTreeSet<String> = told.keys().map(|(user, _)| user.clone()).collect();
    for user in &users {
        let loaded = managers[0].load_state::<Ledger>(&key(user)).await.unwrap();
        let mut stored = HashSet::new();
        for entry in loaded.map(|loaded| loaded.state.entries).unwrap_or_default() {
            assert!(stored.insert(entry), "{user}: {entry:?} is there twice");
        }
        for entry in &stored {
            let about = (user.clone(), *entry);
            let what = told.get(&about).copied().unwrap_or(What::Begin);
            assert_ne!(what, What::Failed, "{user}: {entry:?} had failed and is there");
        }
        for ((_, entry), what) in told.iter().filter(|((of, _), _)| of == user) {
            let is_there = stored.contains(entry);
            let is_kept = kept.contains(&(user.clone(), *entry));
            let figure = match what {
                What::Saved | What::Found => "saved",
                What::Spooled if is_there => "spooled and stored",
                What::Spooled => "spooled and in conflict",
                What::Failed => "failed",
                _ => "untold",
            };
            *figures.entry(figure).or_default() += 1;
            let is_due = matches!(what, What::Saved | What::Spooled | What::Found);
            assert!(!is_due || is_there || is_kept, "{user}: {entry:?} was {what:?} and is lost");
        }
    }
    println!("{figures:?}, {conflicts} conflicts");
    assert!(figures.get("spooled and stored").is_some_and(|count| *count > 10), "{figures:?}");
}

fn open(url: &str, host: &Path) -> StateManager {
    let backend: Arc<dyn StateBackend> = if url.starts_with("redis") {
        Arc::new(RedisBackend::new(url).unwrap())
    } else {
        Arc::new(DatabaseBackend::new(url).unwrap())
    };
    StateManagerBuilder::over(backend).spool_dir(host).build()
}
