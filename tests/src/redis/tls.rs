//! TLS with certificates of the tests' own.

use std::path::Path;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::server::{RedisServer, free_port, shared};

/// Who vouches for servers and clients.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// One that nobody else knows of.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// A certificate for a name, and its key.
    #[must_use]
    pub fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        // Of the same name as its issuer it would be taken for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The settings with which servers on 127.0.0.1 are started that take TLS, from all clients.
    #[must_use]
    pub fn settings(&self, folder: &Path) -> Vec<String> {
        let (certificate, private) = self.issue("127.0.0.1");
        let files = [
            ("--tls-ca-cert-file", "ca", self.pem()),
            ("--tls-cert-file", "cert", certificate),
            ("--tls-key-file", "key", private),
        ];
        let mut settings = vec!["--tls-auth-clients".to_owned(), "no".to_owned()];
        for (setting, file, pem) in files {
            let path = folder.join(file);
            std::fs::write(&path, pem).unwrap();
            settings.extend([setting.to_owned(), path.to_str().unwrap().to_owned()]);
        }
        settings
    }

    /// Lets a server of this name take TLS too, from clients with a certificate or (`"no"`) from
    /// all; the URL.
    #[must_use]
    pub fn equip(&self, server: &RedisServer, name: &str, clients: &str) -> String {
        let (certificate, private) = self.issue(name);
        let files = [("ca", self.pem()), ("cert", certificate), ("key", private)];
        let [ca, cert, key] = files.map(|(file, pem)| {
            let path = server.folder().join(file);
            std::fs::write(&path, pem).unwrap();
            path.to_str().unwrap().to_owned()
        });
        let port = free_port().to_string();
        let mut command = vec!["CONFIG", "SET", "tls-port", &port, "tls-auth-clients", clients];
        command.extend(["tls-ca-cert-file", &ca, "tls-cert-file", &cert, "tls-key-file", &key]);
        server.run::<()>(&command);
        format!("rediss://localhost:{port}")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// The TLS way into the shared server: its URL, and the certificate of who vouches for it.
pub fn shared_tls() -> &'static (String, String) {
    static SHARED: OnceLock<(String, String)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let authority = Authority::new();
        (authority.equip(shared(), "localhost", "no"), authority.pem())
    })
}
