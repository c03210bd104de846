//! From a URL to a server, and what is kept where on it.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use super::RedisDurability;
use crate::error::Error;

/// What a URL can be, for messages.
const LEGAL: &str = "`redis://<host>`, `redis://<user>:<password>@<host>:<port>/<database>`, the \
                     same with `rediss:` for TLS, or `redis+unix:///<path>?db=<database>`; behind \
                     a `?` also `prefix=<name>`, `lease_ttl=<duration>` and \
                     `require=<always, everysec or sometimes>`";

/// The parameters that the client knows of.
const OF_CLIENT: [&str; 4] = ["db", "user", "pass", "protocol"];

/// What a URL says.
pub(super) struct Target {
    pub(super) server: ConnectionInfo,
    /// Where the server is, without the prefix, the user and the password.
    pub(super) location: String,
    pub(super) options: Options,
}

/// What may stand behind the `?`.
#[derive(Default)]
pub(super) struct Options {
    pub(super) prefix: Option<String>,
    pub(super) lease_ttl: Option<Duration>,
    pub(super) require: Option<RedisDurability>,
}

/// Reads a URL. No message repeats it: it may hold a password.
pub(super) fn parse(text: &str) -> Result<Target, Error> {
    let url = redis::parse_redis_url(text)
        .filter(|url| matches!(url.scheme(), "redis" | "rediss" | "redis+unix"))
        .filter(|url| url.fragment().is_none())
        .ok_or_else(|| wrong("is not the URL of a Redis server"))?;
    let (scheme, is_unix) = (url.scheme().to_owned(), url.scheme() == "redis+unix");
    let mut options = Options::default();
    for (name, value) in url.query_pairs() {
        options.take(&name, &value, is_unix)?;
    }
    let server = url
        .into_connection_info()
        .map_err(|_| wrong("has no host or path, or no such database"))?;
    let location = format!("{scheme}://{}/{}", address(&server), server.redis_settings().db());
    Ok(Target { server, location, options })
}

impl Options {
    fn take(&mut self, name: &str, value: &str, is_unix: bool) -> Result<(), Error> {
        let unreadable = |what| wrong(&format!("has a `{name}` that is not {what}"));
        match name {
            "prefix" => self.prefix = Some(value.to_owned()),
            "lease_ttl" => {
                let ttl = humantime::parse_duration(value);
                self.lease_ttl = Some(ttl.map_err(|_| unreadable("a duration such as `5s`"))?);
            }
            "require" => {
                let durability = RedisDurability::parse(value);
                let durability =
                    durability.ok_or_else(|| unreadable("`always`, `everysec` or `sometimes`"))?;
                self.require = Some(durability);
            }
            "protocol" => {}
            name if is_unix && OF_CLIENT.contains(&name) => {}
            _ => return Err(wrong("has a parameter that does not exist")),
        }
        Ok(())
    }
}

fn address(server: &ConnectionInfo) -> String {
    match server.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            let host = host.to_lowercase();
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        }
        other => other.to_string(),
    }
}

fn wrong(what: &str) -> Error {
    Error::Config { reason: format!("the URL of Redis {what}: give {LEGAL}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_the_server_and_the_database_and_nobody() {
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
        ] {
            assert_eq!(parse(url).unwrap().location, location);
        }
    }

    #[test]
    fn options_stand_behind_the_question_mark() {
        let url = "redis://host?prefix=agents&lease_ttl=2s&require=everysec";
        let options = parse(url).unwrap().options;
        assert_eq!(options.prefix.as_deref(), Some("agents"));
        assert_eq!(options.lease_ttl, Some(Duration::from_secs(2)));
        assert_eq!(options.require, Some(RedisDurability::EverySecond));
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
            "redis://:hunter2@host?lease_ttl=hunter2",
            "redis://:hunter2@0.0.0.0",
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
