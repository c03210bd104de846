//! From a URL to servers, and what is kept where on them.

mod options;

use redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

use self::options::Options;
use super::network::Address;
use crate::error::Error;

/// What a URL can be, for messages.
const LEGAL: &str = "`redis://<host>`, `redis://<user>:<password>@<host>:<port>/<database>`, \
                     `redis+sentinel://<host>,<host>/<master>/<database>` with the hosts of the \
                     sentinels, `redis+cluster://<host>,<host>`, the same with `rediss` for TLS, \
                     or `redis+unix:///<path>?db=<database>`; behind a `?` also `prefix=<name>`, \
                     `lease_ttl=<duration>`, `history=<off, all, versions or duration>`, \
                     `whole=<bytes>` and `require=<always, everysec, sometimes or replicas(<number>)>`";

/// The port of a sentinel whose URL names none.
const SENTINEL_PORT: u16 = 26379;
/// The port of any other server.
const PORT: u16 = 6379;

/// What a URL can begin with.
pub(super) const SCHEMES: [&str; 7] = [
    "redis",
    "rediss",
    "redis+unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
];

/// What a URL says.
pub(super) struct Target {
    pub(super) place: Place,
    /// Where that is, without the prefix, the user and the password.
    pub(super) location: String,
    pub(super) options: Options,
}

/// Where the records are.
// There is one of them for a moment.
#[expect(clippy::large_enum_variant)]
pub(super) enum Place {
    Server(ConnectionInfo),
    Sentinels {
        /// In order.
        addresses: Vec<Address>,
        /// One of them.
        sentinel: ConnectionInfo,
        /// What they call the master.
        name: String,
        /// What gets into it, but for its address.
        master: ConnectionInfo,
    },
    Cluster {
        /// Of some of its servers, in order.
        addresses: Vec<Address>,
        /// One of them.
        server: ConnectionInfo,
    },
}

/// What may stand in a URL depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp,
    Unix,
    Sentinel,
    Cluster,
}

/// Reads a URL. No message repeats it: it may hold a password.
pub(super) fn parse(text: &str) -> Result<Target, Error> {
    let (scheme, rest) = text.split_once("://").ok_or_else(not_a_url)?;
    match scheme {
        "redis" | "rediss" => server(scheme, text, Kind::Tcp),
        "redis+unix" => server(scheme, text, Kind::Unix),
        "redis+sentinel" | "rediss+sentinel" => SeveralHosts::read(scheme, rest)?.sentinels(scheme),
        "redis+cluster" | "rediss+cluster" => SeveralHosts::read(scheme, rest)?.cluster(scheme),
        _ => Err(not_a_url()),
    }
}

fn server(scheme: &str, text: &str, kind: Kind) -> Result<Target, Error> {
    let (server, options) = one(text, kind)?;
    let address = match Address::of(&server) {
        Some(address) => address.to_string(),
        None => server.addr().to_string(),
    };
    let location = format!("{scheme}://{address}/{}", server.redis_settings().db());
    Ok(Target { place: Place::Server(server), location, options })
}

/// A URL of one server.
fn one(text: &str, kind: Kind) -> Result<(ConnectionInfo, Options), Error> {
    let url = redis::parse_redis_url(text).filter(|url| url.fragment().is_none());
    let url = url.ok_or_else(not_a_url)?;
    let mut options = Options::default();
    for (name, value) in url.query_pairs() {
        options.take(&name, &value, kind)?;
    }
    let server = url.into_connection_info();
    let server = server.map_err(|_| wrong("has no host or path, or no such database"))?;
    Ok((server, options))
}

/// A URL of several hosts, in its parts.
struct SeveralHosts<'a> {
    /// `redis`, or `rediss` for TLS.
    scheme: &'a str,
    /// The user and the password, with the `@`.
    user: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

impl<'a> SeveralHosts<'a> {
    // Input: alice:secret@host1:7000,host2:7001/path?query
    fn read(scheme: &'a str, rest: &'a str) -> Result<Self, Error> {
        let (scheme, _) = scheme.split_once('+').ok_or_else(not_a_url)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (user, hosts) = authority.split_at(at);
        Ok(Self { scheme, user, hosts: hosts.split(',').collect(), path, query })
    }

    /// Where they are, in order; the last of them; and what else the URL says.
    fn each(
        &self,
        port: u16,
        database: &str,
        kind: Kind,
    ) -> Result<(Vec<Address>, ConnectionInfo, Options), Error> {
        let Self { scheme, user, query, .. } = self;
        let mut addresses = Vec::with_capacity(self.hosts.len());
        let mut last = None;
        for host in &self.hosts {
            let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
            let port = if has_port { String::new() } else { format!(":{port}") };
            let alone = format!("{scheme}://{user}{host}{port}/{database}?{query}");
            let (server, options) = one(&alone, kind)?;
            addresses.extend(Address::of(&server));
            last = Some((server, options));
        }
        addresses.sort_unstable();
        addresses.dedup();
        let (server, options) = last.ok_or_else(not_a_url)?;
        Ok((addresses, server, options))
    }

    fn sentinels(&self, scheme: &str) -> Result<Target, Error> {
        let (name, database) = self.path.split_once('/').unwrap_or((self.path, ""));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(wrong("does not say what the sentinels call the master"));
        }
        let (addresses, master, options) = self.each(SENTINEL_PORT, database, Kind::Sentinel)?;
        let database = master.redis_settings().db();
        let location = format!("{scheme}://{}/{name}/{database}", list(&addresses));
        let sentinel = master.clone().set_redis_settings(of_sentinels(&options));
        let place = Place::Sentinels { addresses, sentinel, name: name.to_owned(), master };
        Ok(Target { place, location, options })
    }

    fn cluster(&self, scheme: &str) -> Result<Target, Error> {
        if !matches!(self.path, "" | "0") {
            return Err(wrong("names a database, and a cluster has only one"));
        }
        let (addresses, server, options) = self.each(PORT, "", Kind::Cluster)?;
        let location = format!("{scheme}://{}", list(&addresses));
        Ok(Target { place: Place::Cluster { addresses, server }, location, options })
    }
}

/// The user and the password of the sentinels themselves.
fn of_sentinels(options: &Options) -> RedisConnectionInfo {
    let mut settings = RedisConnectionInfo::default();
    if let Some(user) = &options.sentinel_user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &options.sentinel_password {
        settings = settings.set_password(password);
    }
    settings
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn not_a_url() -> Error {
    wrong("is not the URL of a Redis server")
}

fn wrong(what: &str) -> Error {
    Error::Config { reason: format!("the URL of Redis {what}: give {LEGAL}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::keeps::Keeps;
    use crate::backend::redis::RedisDurability;
    use crate::history::Retention;

    #[test]
    fn a_location_names_the_servers_and_the_database_and_nobody() {
        for (url, location) in [
            ("redis://host", "redis://host:6379/0"),
            ("redis://HOST/", "redis://host:6379/0"),
            ("redis://alice:hunter2@host:7000/3", "redis://host:7000/3"),
            ("rediss://:hunter2@[::1]:7000", "rediss://[::1]:7000/0"),
            ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock/0"),
            (
                "redis+unix:///run/redis.sock?db=2&user=alice&pass=hunter2",
                "redis+unix:///run/redis.sock/2",
            ),
            (
                "redis+sentinel://alice:hunter2@b:1,A,[::1]/mymaster?sentinel_password=hunter2",
                "redis+sentinel://[::1]:26379,a:26379,b:1/mymaster/0",
            ),
            ("rediss+sentinel://a/m.y_m-1/3", "rediss+sentinel://a:26379/m.y_m-1/3"),
            ("redis+cluster://:hunter2@b:7001,a,b:7001/0", "redis+cluster://a:6379,b:7001"),
            ("rediss+cluster://a", "rediss+cluster://a:6379"),
        ] {
            assert_eq!(parse(url).unwrap().location, location);
        }
    }

    #[test]
    fn sentinels_have_a_user_of_their_own() {
        let url = "redis+sentinel://alice:a%2Fb@host/mymaster/2\
                   ?sentinel_user=watcher&sentinel_password=c%2Fd";
        let Place::Sentinels { sentinel, name, master, .. } = parse(url).unwrap().place else {
            panic!("no sentinels");
        };
        assert_eq!(name, "mymaster");
        let (of_master, of_sentinel) = (master.redis_settings(), sentinel.redis_settings());
        assert_eq!((of_master.username(), of_master.password()), (Some("alice"), Some("a/b")));
        assert_eq!(of_master.db(), 2);
        assert_eq!(
            (of_sentinel.username(), of_sentinel.password()),
            (Some("watcher"), Some("c/d"))
        );
        assert_eq!(of_sentinel.db(), 0);
    }

    #[test]
    fn options_stand_behind_the_question_mark() {
        for begin in ["redis://host", "redis+cluster://a,b", "redis+sentinel://a,b/mymaster"] {
            let url = format!("{begin}?prefix=agents&lease_ttl=2s&require=everysec,replicas(2)");
            let options = parse(&url).unwrap().options;
            assert_eq!(options.prefix.as_deref(), Some("agents"));
            assert_eq!(options.lease_ttl, Some(Duration::from_secs(2)));
            assert_eq!(options.durability, Some(RedisDurability::EverySecond));
            assert_eq!(options.replicas, Some(2));
            let options = parse(&format!("{begin}?history=7&whole=2KB")).unwrap().options;
            assert_eq!(options.history, Some(Keeps::History(Retention::Versions(7))));
            assert_eq!(options.whole_up_to, Some(2048));
        }
    }

    #[test]
    fn a_url_that_is_wrong_is_refused_without_repeating_it() {
        for url in [
            "redis:hunter2",
            "redis://",
            "redis://user:hunter2@host/name",
            "redis://:hunter2@host?tls=1",
            "rediss://:hunter2@host#insecure",
            "redis://:hunter2@host?require=hunter2",
            "redis://:hunter2@host?require=replicas(0)",
            "redis://:hunter2@host?require=always,hunter2",
            "redis://:hunter2@host?lease_ttl=hunter2",
            "redis://:hunter2@host?history=hunter2",
            "redis://:hunter2@host?history=0",
            "redis://:hunter2@host?whole=hunter2KB",
            "redis://:hunter2@host?sentinel_password=hunter2",
            "redis://:hunter2@0.0.0.0",
            "redis+sentinel://:hunter2@host",
            "redis+sentinel://:hunter2@host/",
            "redis+sentinel://:hunter2@host/my master",
            "redis+sentinel://:hunter2@host/mymaster/name",
            "redis+sentinel://:hunter2@host,/mymaster",
            "redis+sentinel://:hunter2@host/mymaster#insecure",
            "redis+cluster://:hunter2@host/1",
            "redis+cluster://:hunter2@host,",
            "redis+cluster://:hunter2@",
            "redis+cluster://:hunter2@a,b:port",
            "http://:hunter2@host",
            "hunter2",
        ] {
            let Err(error) = parse(url) else { panic!("{url}") };
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("redis://<host>"), "{shown}");
        }
    }
}
