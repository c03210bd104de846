//! The ways in: TLS, a Unix socket, users, passwords, databases; and what is required of a server.

use std::process::Command;
use std::time::Duration;

use cogency_state::{
    Durability, Error, RedisBackend, RedisDurability, StateBackend as _, StateManager, robust,
};
use cogency_state_tests::redis::{Authority, RedisServer, fresh_prefix, shared};

use crate::{all_of, key};

const SECRET: &str = "hunter2 :/@%";
const IN_A_URL: &str = "hunter2%20%3A%2F%40%25";

/// Saves and loads one state.
async fn works(backend: RedisBackend) {
    let manager = crate::strict(backend);
    let mut call = manager.begin::<u32>(&key("alice")).await.unwrap();
    call.state += 1;
    let number = call.state;
    call.commit().await.unwrap();
    let loaded = manager.load_state::<u32>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(loaded.state, number);
}

/// Fails unless connecting ends in an error that says this, and no password.
async fn is_refused(url: &str, saying: &str) {
    let error = RedisBackend::connect(url).await.unwrap_err();
    let text = all_of(&error);
    assert!(text.contains(saying), "{text}");
    for secret in [SECRET, IN_A_URL, "hunter2"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_password_lets_in_and_a_wrong_one_does_not() {
    let server = RedisServer::start();
    server.run::<()>(&["CONFIG", "SET", "requirepass", SECRET]);
    let url = |user: &str| server.url().replace("://", &format!("://{user}@"));
    works(RedisBackend::connect(&url(&format!(":{IN_A_URL}"))).await.unwrap()).await;
    is_refused(&server.url(), "NOAUTH").await;
    is_refused(&url(":wrong"), "user and password").await;
    let backend = RedisBackend::connect(&url(&format!(":{IN_A_URL}"))).await.unwrap();
    let shown = format!("{backend:?} {:#?} {}", backend, backend.location());
    assert!(!shown.contains("hunter2"), "{shown}");
    let shown = format!("{:?}", RedisBackend::builder(&url(&format!(":{IN_A_URL}"))));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_user_with_the_least_rights_can_do_everything_but_ask_for_the_configuration() {
    let server = RedisServer::start();
    let rules = "on ~cogency:* +@scripting +@string +@hash +@stream +@keyspace +@connection +time";
    let password = format!(">{SECRET}");
    let mut command = vec!["ACL", "SETUSER", "agent", &password];
    command.extend(rules.split(' '));
    server.run::<()>(&command);
    let url = server.url().replace("://", &format!("://agent:{IN_A_URL}@"));
    let backend = RedisBackend::connect(&url).await.unwrap();
    assert_eq!(backend.durability().await.unwrap(), None);
    assert_eq!(backend.capabilities().durability, Durability::Restart);
    works(backend.clone()).await;
    assert_eq!(backend.list_states("alice").await.unwrap(), [key("alice")]);

    let error = RedisBackend::builder(&url).require(RedisDurability::Sometimes).connect().await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("CONFIG GET"), "{text}");
    let other = RedisBackend::builder(&url).prefix("other").connect().await.unwrap();
    let error = other.load_state(&key("alice")).await.unwrap_err().to_string();
    assert!(error.contains("NOPERM") && error.contains("ACL"), "{error}");
    is_refused(&url.replace("agent", "nobody"), "user and password").await;
    is_refused(&url.replace(IN_A_URL, "wrong"), "user and password").await;
}

#[tokio::test]
async fn databases_have_nothing_to_do_with_each_other() {
    let server = RedisServer::start();
    for database in [0, 1] {
        let url = format!("{}/{database}", server.url());
        let backend = RedisBackend::connect(&url).await.unwrap();
        assert!(backend.load_state(&key("alice")).await.unwrap().is_none());
        works(backend).await;
    }
    is_refused(&format!("{}/99", server.url()), "database").await;
}

#[tokio::test]
async fn a_unix_socket_is_a_way_in() {
    let path = shared().socket();
    let url = format!("redis+unix://{}?db=7", path.display());
    let backend = RedisBackend::connect(&url).await.unwrap();
    assert_eq!(backend.location(), format!("redis+unix://{}/7/cogency", path.display()));
    works(backend).await;
    StateManager::connect(&url).await.unwrap();
    is_refused("redis+unix:///nowhere/redis.sock", "whether it runs").await;
}

#[tokio::test]
async fn what_the_configuration_gives_is_told_and_can_be_required() {
    let server = RedisServer::start();
    for (only, fsync, save, durability) in [
        ("yes", "always", "", RedisDurability::Always),
        ("yes", "everysec", "", RedisDurability::EverySecond),
        ("yes", "no", "", RedisDurability::Sometimes),
        ("no", "always", "3600 1", RedisDurability::Sometimes),
        ("no", "always", "", RedisDurability::Never),
    ] {
        for (name, value) in [("appendonly", only), ("appendfsync", fsync), ("save", save)] {
            server.run::<()>(&["CONFIG", "SET", name, value]);
        }
        let backend = RedisBackend::connect(&server.url()).await.unwrap();
        assert_eq!(backend.durability().await.unwrap(), Some(durability));
        let survives = if durability == RedisDurability::Always {
            Durability::PowerCut
        } else {
            Durability::Restart
        };
        assert_eq!(backend.capabilities().durability, survives);

        for required in ["sometimes", "everysec", "always"] {
            let url = format!("{}?require={required}", server.url());
            let connected = RedisBackend::connect(&url).await;
            let order = ["never", "sometimes", "everysec", "always"];
            let place = |word: &str| order.iter().position(|known| *known == word).unwrap();
            if place(&durability.to_string()) >= place(required) {
                works(connected.unwrap()).await;
            } else {
                let text = connected.unwrap_err().to_string();
                let found = format!("gives `{durability}`");
                assert!(text.contains(required) && text.contains(&found), "{text}");
                // Nor does one that connects later get through.
                let later = RedisBackend::new(&url).unwrap();
                later.load_state(&key("alice")).await.unwrap_err();
            }
        }
    }
}

#[tokio::test]
async fn what_is_required_is_found_in_either_protocol() {
    for protocol in ["resp2", "resp3"] {
        let prefix = fresh_prefix();
        let url = format!("{}?protocol={protocol}&prefix={prefix}", shared().url());
        let backend = RedisBackend::connect(&format!("{url}&require=always")).await.unwrap();
        assert_eq!(backend.durability().await.unwrap(), Some(RedisDurability::Always));
        works(backend.clone()).await;
        assert_eq!(backend.list_states("alice").await.unwrap(), [key("alice")]);
    }
}

#[tokio::test]
async fn the_longest_of_times_is_one_that_the_clock_reaches() {
    let builder = RedisBackend::builder(&shared().url()).prefix(fresh_prefix());
    let builder = builder.connect_timeout(Duration::MAX).response_timeout(Duration::MAX);
    let manager = crate::strict(builder.retry_for(Duration::MAX).build().unwrap());
    manager.save_state(&key("alice"), "x".repeat(2 << 20), None).await.unwrap();
}

#[tokio::test]
async fn a_requirement_holds_for_every_new_connection() {
    let server = RedisServer::start();
    let url = format!("{}?require=always", server.url());
    let backend = RedisBackend::new(&url).unwrap();
    assert_eq!(backend.capabilities().durability, Durability::PowerCut);
    works(backend.clone()).await;
    server.run::<()>(&["CONFIG", "SET", "appendfsync", "everysec"]);
    server.run::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    let error = backend.load_state(&key("alice")).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(error.to_string().contains("everysec"), "{error}");
}

#[robust(persist = "redis")]
async fn count(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

/// Runs the test of this name again in a process whose environment names a server.
fn again_with(test: &str, url: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env("COGENCY_REDIS_URL", url).env("IS_CHILD", "yes");
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

#[tokio::test]
async fn the_environment_names_the_server_of_persist_redis() {
    if std::env::var_os("IS_CHILD").is_some() {
        assert_eq!(count("alice").await.unwrap(), 1);
        return;
    }
    let prefix = fresh_prefix();
    let url = format!("{}?prefix={prefix}", shared().url());
    again_with("access::the_environment_names_the_server_of_persist_redis", &url);
    let backend = RedisBackend::connect(&url).await.unwrap();
    assert!(backend.load_state(&key("alice")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_environment_that_names_no_server_is_told_and_not_repeated() {
    if std::env::var_os("IS_CHILD").is_some() {
        let error = count("alice").await.unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
        let text = all_of(&error);
        assert!(text.contains("COGENCY_REDIS_URL") && !text.contains("hunter2"), "{text}");
        return;
    }
    let test = "access::an_environment_that_names_no_server_is_told_and_not_repeated";
    again_with(test, "http://:hunter2@host");
}

/// A server of this name that takes TLS, and its URL.
fn with_tls(authority: &Authority, name: &str, clients: &str) -> (RedisServer, String) {
    let server = RedisServer::start();
    let url = authority.equip(&server, name, clients);
    (server, url)
}

#[tokio::test]
async fn tls_lets_in_who_trusts_the_servers_certificate() {
    let authority = Authority::new();
    let (_server, url) = with_tls(&authority, "localhost", "no");
    let trusting = RedisBackend::builder(&url).root_certificates(authority.pem());
    let backend = trusting.connect().await.unwrap();
    assert_eq!(backend.location(), format!("{url}/0/cogency"));
    works(backend).await;
}

#[tokio::test]
async fn tls_refuses_a_certificate_that_is_not_trusted_or_of_another_name() {
    let authority = Authority::new();
    let (_server, url) = with_tls(&authority, "elsewhere", "no");
    let stranger = Authority::new().pem();
    let of_another = RedisBackend::builder(&url).root_certificates(authority.pem()).connect().await;
    let not_trusted = RedisBackend::builder(&url).root_certificates(stranger).connect().await;
    let of_system = RedisBackend::connect(&url).await;
    for refused in [of_another, not_trusted, of_system] {
        let text = all_of(&refused.unwrap_err());
        assert!(text.contains("certificate"), "{text}");
    }
}

#[tokio::test]
async fn tls_shows_the_clients_certificate_to_a_server_that_wants_one() {
    let authority = Authority::new();
    let (_server, url) = with_tls(&authority, "localhost", "yes");
    let trusting = || RedisBackend::builder(&url).root_certificates(authority.pem());
    let (certificate, private) = authority.issue("agent");
    works(trusting().client_certificate(certificate, private).connect().await.unwrap()).await;
    trusting().connect().await.unwrap_err();
    let error = trusting().client_certificate("no PEM", "hunter2").connect().await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
    assert!(!all_of(&error).contains("hunter2"));
}
