//! What proves who is who.

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, RedisResult, TlsCertificates,
};

/// Certificates (PEM).
pub(in crate::backend::redis) struct Certificates {
    /// Of those who may vouch for a server, instead of the system's.
    pub(in crate::backend::redis) roots: Option<Vec<u8>>,
    /// What is shown to a server.
    pub(in crate::backend::redis) client: Option<ClientTlsConfig>,
}

impl Certificates {
    /// A client of a server. Fails if a certificate cannot be used.
    pub(super) fn client(&self, server: ConnectionInfo) -> RedisResult<Client> {
        let server = server.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        if !matches!(server.addr(), ConnectionAddr::TcpTls { .. }) {
            return Client::open(server);
        }
        use_ring();
        let (client_tls, root_cert) = (self.client.clone(), self.roots.clone());
        Client::build_with_tls(server, TlsCertificates { client_tls, root_cert })
    }
}

/// The client's TLS uses what the process has chosen for its cryptography. Where it has not and
/// several could be chosen, that would end in a panic.
fn use_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have chosen at this moment.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
