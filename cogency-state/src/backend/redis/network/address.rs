//! Where servers are, and how to get into them.

use std::fmt;
use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, RedisResult, Value,
};
use tokio::time::timeout;

use super::miss::Miss;
use super::tls::Certificates;
use crate::backend::redis::problem::{Problem, Refusal};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::backend::redis) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Of a server that is reached through a network.
    pub(in crate::backend::redis) fn of(server: &ConnectionInfo) -> Option<Self> {
        match server.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Self { host: host.to_lowercase(), port: *port })
            }
            _ => None,
        }
    }

    /// As a server tells it, which leaves its own host out where it does not know it.
    // Input: 10.0.0.7:7000
    pub(super) fn told(text: &str, by: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(by.or_other(host, port.parse().ok()?))
    }

    /// Another host and port as this one tells it.
    pub(super) fn or_other(&self, host: &str, port: u16) -> Self {
        let host = if matches!(host, "" | "?") { &self.host } else { host };
        Self { host: host.to_owned(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// What gets into any server of some: TLS, a user and a password.
pub(super) struct Access {
    example: ConnectionInfo,
}

impl Access {
    /// Into servers that differ from this one by their addresses.
    pub(super) fn like(server: ConnectionInfo, certificates: &Certificates) -> RedisResult<Self> {
        Ok(Self { example: certificates.client(server)?.get_connection_info().clone() })
    }

    pub(super) fn client(&self, address: &Address) -> Result<Client, Problem> {
        let Address { host, port } = address.clone();
        let address = match self.example.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Client::open(self.example.clone().set_addr(address)).map_err(Problem::Unreachable)
    }

    /// Asks a server one thing, on a connection that is made for it.
    pub(super) async fn ask(
        &self,
        address: &Address,
        command: &Cmd,
        within: Duration,
    ) -> Result<Value, Miss> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let client = self.client(address)?;
        let asking = async {
            let connecting = client.get_multiplexed_async_connection_with_config(&config);
            let mut connection = connecting.await.map_err(Miss::not_connected)?;
            let answer = connection.send_packed_command(command).await;
            let answer = answer.map_err(Miss::not_connected)?;
            match Refusal::in_answer(&answer) {
                Some(refusal) => Err(Miss::not_usable(refusal.into())),
                None => Ok(answer),
            }
        };
        let too_late = |_| Miss::NotYet(Problem::NoConnection(within));
        timeout(within, asking).await.map_err(too_late)?
    }
}
