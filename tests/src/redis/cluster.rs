//! A cluster of three masters, with a replica each.

use std::sync::OnceLock;
use std::time::Duration;

use redis::Value;

use super::server::{RedisServer, free_port};
use super::wait_for;

/// How many masters there are.
const MASTERS: usize = 3;

const SLOTS: usize = 16384;

/// A cluster. Dropped, its servers are killed.
#[derive(Debug)]
pub struct RedisCluster {
    /// Masters in the beginning, then the replica of each, in the same order.
    servers: Vec<RedisServer>,
}

/// The cluster that the tests of this process share, each with a prefix of its own: for tests that
/// do not hurt it.
pub fn shared_cluster() -> &'static RedisCluster {
    static SHARED: OnceLock<RedisCluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        // What is saved here need not survive it.
        let settings = ["--appendfsync", "everysec"];
        RedisCluster::of(RedisServer::kept, Duration::from_secs(15), 2 * MASTERS, &settings)
    })
}

impl RedisCluster {
    /// A cluster whose replicas take over soon after a master was away for this long.
    #[must_use]
    pub fn start(node_timeout: Duration) -> Self {
        Self::of(RedisServer::with, node_timeout, 2 * MASTERS, &[])
    }

    /// One without replicas, with settings of its own.
    #[must_use]
    pub fn without_replicas(settings: &[&str]) -> Self {
        Self::of(RedisServer::with, Duration::from_secs(2), MASTERS, settings)
    }

    fn of(
        start: fn(&[&str]) -> RedisServer,
        node_timeout: Duration,
        count: usize,
        settings: &[&str],
    ) -> Self {
        let servers = (0..count).map(|_| {
            // The port of the servers among themselves would be too high for some.
            let port = free_port().to_string();
            let mut all = vec!["--cluster-enabled", "yes", "--cluster-port", &port];
            // They tell each other what is new twice in this time: a short one to get ready.
            all.extend(["--cluster-node-timeout", "1000"]);
            // Those whose master is killed do not take down the others.
            all.extend(["--cluster-require-full-coverage", "no"]);
            all.extend(["--repl-diskless-sync-delay", "0"]);
            let tls_port = free_port().to_string();
            if settings.contains(&"--tls-cluster") {
                all.extend(["--tls-port", &tls_port]);
            }
            all.extend(settings);
            start(&all)
        });
        let cluster = Self { servers: servers.collect() };
        cluster.join();
        let timeout = node_timeout.as_millis().to_string();
        for server in &cluster.servers {
            server.run::<()>(&["CONFIG", "SET", "cluster-node-timeout", &timeout]);
        }
        cluster
    }

    /// Makes one cluster of the servers.
    fn join(&self) {
        let (first, others) = self.servers.split_first().unwrap();
        for (number, master) in self.servers[..MASTERS].iter().enumerate() {
            let (from, to) = (number * SLOTS / MASTERS, (number + 1) * SLOTS / MASTERS - 1);
            let (from, to) = (from.to_string(), to.to_string());
            master.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", &from, &to]);
            master.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for server in others {
            let (port, bus) = (server.port().to_string(), server.setting("--cluster-port"));
            first.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        let knows_all = |server: &RedisServer| {
            let nodes: String = server.run(&["CLUSTER", "NODES"]);
            nodes.lines().filter(|line| line.contains(" connected")).count() == self.servers.len()
        };
        wait_for("servers that know each other", || self.servers.iter().all(knows_all));
        for (number, replica) in self.servers[MASTERS..].iter().enumerate() {
            replica.run::<()>(&["CLUSTER", "REPLICATE", &self.servers[number].id()]);
        }
        self.wait_until_whole();
    }

    /// Waits until all slots are served and all servers agree, and all replicas follow.
    pub fn wait_until_whole(&self) {
        wait_for("a cluster that is whole", || {
            let views: Vec<_> = self.servers.iter().map(RedisServer::view).collect();
            views.iter().all(|view| view.is_some() && *view == views[0])
        });
    }

    /// Its URL, with what stands before the hosts, such as `:password@`.
    #[must_use]
    pub fn url_with(&self, user: &str) -> String {
        let hosts = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port()));
        format!("redis+cluster://{user}{}", hosts.collect::<Vec<_>>().join(","))
    }

    /// Its URL by each server alone. Calls of one process by different URLs do not know of each
    /// other, as those of other processes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let url = |server: &RedisServer| format!("redis+cluster://127.0.0.1:{}", server.port());
        self.servers.iter().map(url).collect()
    }

    /// The same by TLS, where the servers speak it.
    #[must_use]
    pub fn tls_url_with(&self, user: &str) -> String {
        let port = |server: &RedisServer| server.setting("--tls-port").to_owned();
        let hosts = self.servers.iter().map(|server| format!("127.0.0.1:{}", port(server)));
        format!("rediss+cluster://{user}{}", hosts.collect::<Vec<_>>().join(","))
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// Its servers: masters in the beginning, then the replica of each, in the same order.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The slot of a key, as the cluster sees it.
    #[must_use]
    pub fn slot_of(&self, name: &str) -> u16 {
        self.servers[0].run(&["CLUSTER", "KEYSLOT", name])
    }

    /// The server that has a key; all of them are up.
    #[must_use]
    pub fn master_of(&self, name: &str) -> &RedisServer {
        let slot = self.slot_of(name);
        let is_master = |server: &&RedisServer| {
            let ranges: Vec<Vec<Value>> = server.run(&["CLUSTER", "SLOTS"]);
            ranges.into_iter().any(|range| {
                let [first, last, master] = [0, 1, 2].map(|part| range[part].clone());
                let [first, last] =
                    [first, last].map(|n| redis::from_redis_value::<u16>(n).unwrap());
                let master: Vec<Value> = redis::from_redis_value(master).unwrap();
                let port: u16 = redis::from_redis_value(master[1].clone()).unwrap();
                (first..=last).contains(&slot) && port == server.port()
            })
        };
        self.servers.iter().find(is_master).unwrap()
    }

    /// The names of all keys that match a pattern.
    #[must_use]
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let masters = self.servers.iter().filter(|server| server.is_master());
        masters.flat_map(|server| server.run::<Vec<String>>(&["KEYS", pattern])).collect()
    }

    /// Begins to move a slot: from now on it is on both.
    pub fn begin_move(&self, slot: u16, from: &RedisServer, to: &RedisServer) {
        let slot = slot.to_string();
        to.run::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id()]);
        from.run::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.id()]);
    }

    /// Moves the keys of a slot that are there now.
    pub fn move_keys(&self, slot: u16, from: &RedisServer, to: &RedisServer) {
        let port = to.port().to_string();
        loop {
            let some = ["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "10"];
            let keys: Vec<String> = from.run(&some);
            if keys.is_empty() {
                return;
            }
            let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            command.extend(keys.iter().map(String::as_str));
            from.run::<String>(&command);
        }
    }

    /// Ends the move of a slot.
    pub fn end_move(&self, slot: u16, from: &RedisServer, to: &RedisServer) {
        // What was made since.
        self.move_keys(slot, from, to);
        for server in [to, from] {
            server.run::<()>(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &to.id()]);
        }
    }
}

impl RedisServer {
    fn id(&self) -> String {
        self.run(&["CLUSTER", "MYID"])
    }

    /// Who has which slots, and who follows whom, as this server sees it; `None` if not all slots
    /// are served or it is a replica that does not follow.
    fn view(&self) -> Option<Vec<String>> {
        let info: String = self.run(&["CLUSTER", "INFO"]);
        let replication: String = self.run(&["INFO", "replication"]);
        let is_whole = info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384");
        if !is_whole || replication.contains("master_link_status:down") {
            return None;
        }
        let nodes: String = self.run(&["CLUSTER", "NODES"]);
        let mut view: Vec<_> = nodes
            .lines()
            .map(|line| {
                let fields: Vec<_> = line.split(' ').collect();
                let part = fields[2].replace("myself,", "");
                format!("{} {part} {} {}", fields[0], fields[3], fields[8..].join(" "))
            })
            .collect();
        view.sort_unstable();
        let fails = view.iter().any(|line| line.contains("fail") || line.contains("handshake"));
        (!fails).then_some(view)
    }
}
