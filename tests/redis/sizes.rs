//! Many keys and large states.

use std::time::{Duration, Instant};

use cogency_state::{Error, RedisBackend, StateBackend as _, StateKey};
use cogency_state_tests::redis::{Proxy, RedisServer, SLOW, fresh_prefix, shared};

use crate::key;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn ten_thousand_keys_of_one_user_are_listed_in_order_and_cost_nobody_else() {
    const KEYS: usize = 10_000;
    let server = RedisServer::start();
    let backend = RedisBackend::new(&server.url()).unwrap();
    let manager = crate::strict(backend.clone());
    manager.save_state(&key("bob"), 1_u32, None).await.unwrap();
    // As this many saves leave them.
    let script = "for n = 1, tonumber(ARGV[1]) do local s = string.format('s%05d', n) \
                  redis.call('SET', 'cogency:state:alice:' .. s, '{}') \
                  redis.call('HSET', 'cogency:index:alice', s, '0:0') end";
    server.run::<()>(&["EVAL", script, "0", &KEYS.to_string()]);

    let started = Instant::now();
    let listed = backend.list_states("alice").await.unwrap();
    let took = started.elapsed();
    let due = (1..=KEYS).map(|n| StateKey::new("alice", format!("s{n:05}")).unwrap());
    assert!(listed.into_iter().eq(due));
    assert!(took.as_secs() < 5, "{took:?}");

    let before = count(&server, "total_commands_processed:");
    assert_eq!(backend.list_states("bob").await.unwrap(), [key("bob")]);
    let commands = count(&server, "total_commands_processed:") - before;
    assert!(commands < 10, "a user's list costs what that user has, not {commands} commands");
}

/// A number that the server counts.
fn count(server: &RedisServer, field: &str) -> usize {
    let info: String = server.run(&["INFO", "stats"]);
    let line = info.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().parse().unwrap()
}

/// How many bytes a server has sent.
fn sent(server: &RedisServer) -> usize {
    count(server, "total_net_output_bytes:")
}

#[tokio::test]
async fn a_large_state_that_did_not_change_is_not_sent_again() {
    let server = RedisServer::start();
    let open = || crate::strict(RedisBackend::new(&server.url()).unwrap());
    let manager = open();
    manager.save_state(&key("alice"), "x".repeat(MIB), None).await.unwrap();
    let before = sent(&server);
    for _ in 0..10 {
        manager.begin::<String>(&key("alice")).await.unwrap().rollback().await;
    }
    assert!(sent(&server) - before < MIB / 10, "to whom saved it");

    let other = open();
    other.begin::<String>(&key("alice")).await.unwrap().rollback().await;
    let before = sent(&server);
    let mut call = other.begin::<String>(&key("alice")).await.unwrap();
    assert!(sent(&server) - before < MIB / 10, "to whom loaded it");
    call.state.push('y');
    call.commit().await.unwrap();
    // The first one gets what changed, also what is as long as what it knows.
    let call = manager.begin::<String>(&key("alice")).await.unwrap();
    assert_eq!(call.state.len(), MIB + 1);
    call.rollback().await;
    let mut call = other.begin::<String>(&key("alice")).await.unwrap();
    call.state.replace_range(..1, "z");
    call.commit().await.unwrap();
    let call = manager.begin::<String>(&key("alice")).await.unwrap();
    assert!(call.state.starts_with('z'));
    call.rollback().await;
}

#[tokio::test]
async fn without_memory_for_known_states_each_is_sent() {
    let server = RedisServer::start();
    let backend = RedisBackend::builder(&server.url()).known_bytes(0).build().unwrap();
    let manager = crate::strict(backend);
    manager.save_state(&key("alice"), "x".repeat(MIB), None).await.unwrap();
    let before = sent(&server);
    manager.begin::<String>(&key("alice")).await.unwrap().rollback().await;
    assert!(sent(&server) - before > MIB);
}

#[tokio::test]
async fn a_large_state_that_was_damaged_or_edited_is_not_taken_for_the_known_one() {
    let prefix = fresh_prefix();
    // Where it is whole.
    let builder = RedisBackend::builder(&shared().url()).prefix(&*prefix).without_history();
    let manager = crate::strict(builder.build().unwrap());
    let name = format!("{prefix}:state:alice:default");
    manager.save_state(&key("alice"), vec!["word".to_owned(); 20_000], None).await.unwrap();
    let whole: String = shared().run(&["GET", &name]);

    shared().run::<()>(&["SET", &name, &whole[..whole.len() - 10]]);
    let error = manager.begin::<Vec<String>>(&key("alice")).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");

    let edited = whole.lines().filter(|line| !line.contains("\"checksum\""));
    let edited = edited.collect::<Vec<_>>().join("\n").replacen("word", "edited", 1);
    shared().run::<()>(&["SET", &name, &edited]);
    let call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
    assert_eq!(call.state[0], "edited");
    call.rollback().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_of_64_mib_travel_both_ways_at_once() {
    // A server of its own: it is busy with each of them for a while.
    let server = RedisServer::start();
    let builder = RedisBackend::builder(&server.url()).known_bytes(0);
    let builder = builder.connect_timeout(Duration::from_secs(20));
    let manager = crate::strict(builder.build().unwrap());
    let turn = |number: usize| {
        let manager = manager.clone();
        async move {
            let key = key(&format!("user {number}"));
            manager.save_state(&key, "x".repeat(64 * MIB + number), None).await.unwrap();
            let loaded = manager.load_state::<String>(&key).await.unwrap().unwrap();
            assert_eq!(loaded.state.len(), 64 * MIB + number);
            assert!(manager.delete_state(&key).await.unwrap());
        }
    };
    tokio::join!(turn(1), turn(2));
}

#[tokio::test]
async fn a_large_state_on_a_slow_network_keeps_nobody_else_waiting() {
    let proxy = Proxy::to(shared().port());
    let builder = RedisBackend::builder(&proxy.url()).prefix(fresh_prefix());
    let manager = crate::strict(builder.build().unwrap());
    manager.save_state(&key("bob"), 1_u32, None).await.unwrap();
    proxy.slow_down_large();
    let large = {
        let manager = manager.clone();
        tokio::spawn(async move {
            manager.save_state(&key("alice"), "x".repeat(2 * MIB), None).await.unwrap();
        })
    };
    tokio::time::sleep(SLOW / 3).await;
    let started = Instant::now();
    manager.load_state::<u32>(&key("bob")).await.unwrap().unwrap();
    assert!(started.elapsed() < SLOW / 3, "{:?}", started.elapsed());
    assert!(!large.is_finished());
    large.await.unwrap();
}

#[tokio::test]
async fn another_programs_large_value_that_is_saved_over_keeps_nobody_else_waiting() {
    let (prefix, proxy) = (fresh_prefix(), Proxy::to(shared().port()));
    let builder = RedisBackend::builder(&proxy.url()).prefix(&*prefix);
    let manager = crate::strict(builder.build().unwrap());
    manager.save_state(&key("bob"), 1_u32, None).await.unwrap();
    let state = "x".repeat(2 * MIB);
    let theirs = format!(r#"{{"schema_version":"1.0","state":"{state}"}}"#);
    shared().run::<()>(&["SET", &format!("{prefix}:state:alice:default"), &theirs]);
    let mut call = manager.begin::<String>(&key("alice")).await.unwrap();
    call.state.clear();
    proxy.slow_down_large();
    let committing = tokio::spawn(call.commit());
    tokio::time::sleep(SLOW / 3).await;
    let started = Instant::now();
    manager.load_state::<u32>(&key("bob")).await.unwrap().unwrap();
    assert!(started.elapsed() < SLOW / 3, "{:?}", started.elapsed());
    assert!(!committing.is_finished());
    committing.await.unwrap().unwrap();
}
