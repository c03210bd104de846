//! TLS, with authorities of the tests' own.

use cogency_state::DatabaseBackend;
use cogency_state_tests::database::DatabaseServer;
use cogency_state_tests::redis::Authority;

use crate::{all_of, key, save};

/// A server of this name, and what is known of who vouches for it.
struct Guarded {
    server: DatabaseServer,
    /// The parameters of a URL that ask for all checks, up to the file of an authority.
    checks: &'static str,
}

impl Guarded {
    fn postgres(authority: &Authority) -> Self {
        let server = DatabaseServer::postgres();
        let (certificate, private) = authority.issue("localhost");
        let certificate = format!("ssl_cert_file={}", server.file("cert", &certificate).display());
        let private = format!("ssl_key_file={}", server.file("key", &private).display());
        server.restart_with(&["-c", "ssl=on", "-c", &certificate, "-c", &private]);
        Self { server, checks: "sslmode=verify-full&sslrootcert=" }
    }

    fn mariadb(authority: &Authority) -> Self {
        let server = DatabaseServer::mariadb();
        let (certificate, private) = authority.issue("localhost");
        let certificate = format!("--ssl-cert={}", server.file("cert", &certificate).display());
        let private = format!("--ssl-key={}", server.file("key", &private).display());
        server.restart_with(&[&certificate, &private]);
        Self { server, checks: "ssl-mode=VERIFY_IDENTITY&ssl-ca=" }
    }

    /// The URL of this server by a name, as somebody has it who trusts an authority.
    fn url(&self, name: &str, authority: &Authority) -> String {
        let file = self.server.file(&format!("trusted-at-{name}"), &authority.pem());
        let url = self.server.url().replace("127.0.0.1", name);
        format!("{url}?{}{}", self.checks, file.display())
    }
}

#[tokio::test]
async fn a_server_is_who_it_says_and_another_authority_or_name_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for guarded in [Guarded::postgres(&authority), Guarded::mariadb(&authority)] {
        let backend = DatabaseBackend::connect(&guarded.url("localhost", &authority)).await;
        save(&backend.unwrap(), &key("alice"), "1").await;
        for url in [guarded.url("localhost", &stranger), guarded.url("127.0.0.1", &authority)] {
            let url = url.replace("root@", "root:hunter2@");
            let error = DatabaseBackend::connect(&url).await.unwrap_err();
            let said = all_of(&error).to_lowercase();
            assert!(said.contains("certificate"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
