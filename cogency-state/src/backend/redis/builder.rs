//! Settings of a `RedisBackend`.

use std::sync::Arc;
use std::time::Duration;

use redis::ClientTlsConfig;

use super::keys::Keys;
use super::known::Known;
use super::network::{Certificates, Network, Patience, Required, Terms};
use super::records::Records;
use super::url::{self, Target};
use super::{RedisBackend, RedisDurability};
use crate::backend::Durability;
use crate::backend::keeps::Keeps;
use crate::error::Error;
use crate::history::Retention;

const PREFIX: &str = "cogency";
const LEASE_TTL: Duration = Duration::from_secs(5);
/// A shorter lease could not be renewed in time over a network.
const MIN_LEASE_TTL: Duration = Duration::from_millis(100);
/// A longer one is not worth its name; the server sweeps leases after a day.
const MAX_LEASE_TTL: Duration = Duration::from_secs(60 * 60);
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    respond: Duration::from_secs(5),
    retry: Duration::from_secs(5),
};
const KNOWN_BYTES: usize = 64 << 20;
/// So many versions of each state stay.
const VERSIONS: u64 = 32;
const WHOLE_UP_TO: usize = 64 << 10;
/// Longer times are cut to this: the clock does not reach just any.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Settings of a [`RedisBackend`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use cogency_state::{RedisBackend, RedisDurability, StateManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cogency_state::Error> {
/// let backend = RedisBackend::builder("redis://redis.internal/0")
///     .prefix("agents")
///     .lease_ttl(Duration::from_secs(2))
///     .require(RedisDurability::Always)
///     .connect()
///     .await?;
/// let manager = StateManager::new(backend);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct RedisBackendBuilder {
    url: String,
    prefix: Option<String>,
    lease_ttl: Option<Duration>,
    durability: Option<RedisDurability>,
    replicas: Option<u32>,
    patience: Patience,
    known_bytes: usize,
    history: Option<Keeps>,
    whole_up_to: Option<usize>,
    root_certificates: Option<Vec<u8>>,
    client_certificate: Option<ClientTlsConfig>,
}

impl RedisBackendBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: None,
            lease_ttl: None,
            durability: None,
            replicas: None,
            patience: PATIENCE,
            known_bytes: KNOWN_BYTES,
            history: None,
            whole_up_to: None,
            root_certificates: None,
            client_certificate: None,
        }
    }

    /// What all keys on the server begin with, `cogency` unless told. It has no braces, no
    /// control characters and no part `:state`. States of different prefixes have nothing to do with
    /// each other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How long a key stays taken after its holder died, 5 seconds unless told; 100 milliseconds
    /// to an hour. A lease is renewed before half of this time is over.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    /// Refuses a server whose configuration gives less than this, or does not show what it gives.
    /// It is looked at with each new connection.
    pub fn require(mut self, durability: RedisDurability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Acknowledges a save or a delete when so many replicas have it too (`WAIT`). They have half
    /// of the [response time-out](Self::response_timeout) for that; where fewer have it then, the
    /// call ends in [`Error::OutcomeUnknown`]: the save is on the master, and is lost if one of the
    /// other replicas takes its place. To be sure, require as many as could take it. It comes on
    /// top of what is required with [`require`](Self::require).
    ///
    /// Refuses a server that has fewer replicas. It is looked at with each new connection.
    pub fn require_replicas(mut self, replicas: u32) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// The longest that connecting may take, 2 seconds unless told. In a cluster each server has a
    /// quarter of that to tell which one to connect to.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.patience.connect = timeout.min(LONGEST);
        self
    }

    /// The longest that an answer may take, 5 seconds unless told. A large state has another
    /// second for each MiB.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.patience.respond = timeout.min(LONGEST);
        self
    }

    /// How long a server that is away, or is starting, is asked again; 5 seconds unless told. A
    /// save whose answer was lost is looked for at least once, even later.
    pub fn retry_for(mut self, duration: Duration) -> Self {
        self.patience.retry = duration.min(LONGEST);
        self
    }

    /// How many bytes of states stay in memory, 64 MiB unless told. A state that did not change is
    /// not read anew, and a large one is not sent by the server. With 0 each is.
    pub fn known_bytes(mut self, bytes: usize) -> Self {
        self.known_bytes = bytes;
        self
    }

    /// How much of each state's history stays: at least the last 32 versions unless told. What is to go
    /// is removed by saves, now and then: up to as many versions again may be there in between, and
    /// those that the rebuild of others needs.
    pub fn history(mut self, retention: Retention) -> Self {
        self.history = Some(Keeps::History(retention));
        self
    }

    /// Keeps no history: what is saved and deleted through this backend leaves no entries, and each
    /// save writes the whole state. What others keep stays.
    pub fn without_history(mut self) -> Self {
        self.history = Some(Keeps::Nothing);
        self
    }

    /// The largest state, in bytes of its JSON, that is kept whole under its record's key: 64 KiB
    /// unless told. A larger one is kept in its history alone, where a save writes what changed.
    /// Where no history is kept all are whole.
    pub fn whole_up_to(mut self, bytes: usize) -> Self {
        self.whole_up_to = Some(bytes);
        self
    }

    /// The certificates (PEM) of those who may vouch for the server, instead of the system's.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// The certificate and the private key (PEM) that this program shows to the server.
    pub fn client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        let (client_cert, client_key) = (certificate.into(), key.into());
        self.client_certificate = Some(ClientTlsConfig { client_cert, client_key });
        self
    }

    /// The backend. It connects with the first use, so that the server may start later.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL or a setting is wrong.
    pub fn build(self) -> Result<RedisBackend, Error> {
        let Target { place, location, options } = url::parse(&self.url)?;
        let prefix = valid_prefix(self.prefix.or(options.prefix))?;
        let lease_ttl = valid_ttl(self.lease_ttl.or(options.lease_ttl))?;
        let required = Required {
            durability: self.durability.or(options.durability),
            replicas: self.replicas.or(options.replicas).unwrap_or_default(),
        };
        let history = self.history.or(options.history);
        let history = history.unwrap_or(Keeps::History(Retention::Versions(VERSIONS)));
        let location = format!("{location}/{prefix}");
        let terms = Terms { location, patience: self.patience, required };
        let certificates =
            Certificates { roots: self.root_certificates, client: self.client_certificate };
        let network = Network::new(place, &certificates, terms);
        let records = Records {
            network: network.map_err(|_| config("a TLS certificate or key is not PEM"))?,
            keys: Keys::new(&prefix),
            lease_ttl,
            known: Known::new(self.known_bytes),
            retention: history.retention(),
            whole_up_to: self.whole_up_to.or(options.whole_up_to).unwrap_or(WHOLE_UP_TO),
        };
        Ok(RedisBackend { records: Arc::new(records), durability: durability(required.durability) })
    }

    /// The backend, connected.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL or a setting is wrong, [`Error::Backend`] if the server cannot
    /// be reached, does not let this program in, or gives less durability than is required.
    pub async fn connect(self) -> Result<RedisBackend, Error> {
        let mut backend = self.build()?;
        let found = backend.records.connect().await?;
        backend.durability = backend.durability.max(durability(found));
        Ok(backend)
    }
}

/// What records survive: all processes that use them in any case, for they are on a server.
fn durability(of_server: Option<RedisDurability>) -> Durability {
    match of_server {
        Some(RedisDurability::Always) => Durability::PowerCut,
        _ => Durability::Restart,
    }
}

fn valid_prefix(prefix: Option<String>) -> Result<String, Error> {
    let prefix = prefix.unwrap_or_else(|| PREFIX.to_owned());
    if prefix.is_empty() || prefix.contains(|c: char| c.is_control() || "{}".contains(c)) {
        return Err(config("the prefix is empty, or has a brace or a control character"));
    }
    // Its states would be taken for those of the prefix before that.
    if format!("{prefix}:").contains(":state:") {
        return Err(config("the prefix has `:state` in it, which is how names go on behind one"));
    }
    Ok(prefix)
}

fn valid_ttl(ttl: Option<Duration>) -> Result<Duration, Error> {
    let ttl = ttl.unwrap_or(LEASE_TTL);
    if !(MIN_LEASE_TTL..=MAX_LEASE_TTL).contains(&ttl) {
        return Err(config(
            "the time that a lease lasts is not between 100 milliseconds and an hour",
        ));
    }
    Ok(ttl)
}

fn config(problem: &str) -> Error {
    Error::Config { reason: format!("Redis cannot be used so: {problem}") }
}

/// The URL and the key are secrets.
impl std::fmt::Debug for RedisBackendBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBackendBuilder")
            .field("prefix", &self.prefix)
            .field("lease_ttl", &self.lease_ttl)
            .field("durability", &self.durability)
            .field("replicas", &self.replicas)
            .field("patience", &self.patience)
            .field("known_bytes", &self.known_bytes)
            .field("history", &self.history)
            .field("whole_up_to", &self.whole_up_to)
            .finish_non_exhaustive()
    }
}
