//! What only a cluster can do: slots that move, servers that are away, keys on all masters.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cogency_state::{
    Error, Holder, LeaseAttempt, Metadata, Opened, Record, RedisBackend, Revision,
    StateBackend as _, StateKey, StateManager, Write, robust,
};
use cogency_state_tests::redis::{
    Authority, RedisCluster, RedisServer, fresh_prefix, shared, shared_cluster,
};

use crate::{all_of, impatient, key, lease};

#[robust(persist = manager)]
async fn count(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

fn record_of(prefix: &str, user: &str) -> String {
    format!("{prefix}:state:{user}:default")
}

fn index_of(prefix: &str, user: &str) -> String {
    format!("{prefix}:index:{user}")
}

/// A user whose record is on one master, and the index on another.
fn user_of(
    cluster: &RedisCluster,
    prefix: &str,
    record: &RedisServer,
    index: &RedisServer,
) -> String {
    let is_on = |name: &str, server: &RedisServer| cluster.master_of(name).port() == server.port();
    (0..10_000)
        .map(|number| format!("user-{number}"))
        .find(|user| {
            is_on(&record_of(prefix, user), record) && is_on(&index_of(prefix, user), index)
        })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_go_on_while_the_slots_of_their_keys_move_and_each_counts_once() {
    let cluster = Arc::new(RedisCluster::without_replicas(&[]));
    let prefix = fresh_prefix();
    let is_over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = cluster
        .urls()
        .iter()
        .map(|url| {
            let builder = RedisBackend::builder(url).prefix(&*prefix);
            let manager = crate::strict(builder.build().unwrap());
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move {
                let mut calls = 0;
                while !is_over.load(Ordering::SeqCst) {
                    count(&manager, "alice").await.unwrap();
                    assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let moving = {
        let (cluster, prefix) = (Arc::clone(&cluster), prefix.clone());
        tokio::task::spawn_blocking(move || {
            for round in 0..6 {
                for name in [record_of(&prefix, "alice"), index_of(&prefix, "alice")] {
                    move_slot_of(&cluster, &name, round);
                }
            }
        })
    };
    moving.await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    let mut calls = 0;
    for task in tasks {
        calls += task.await.unwrap();
    }
    let manager = StateManager::connect(&format!("{}?prefix={prefix}", cluster.url())).await;
    let loaded = manager.unwrap().load_state::<u32>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(loaded.state, calls);
    assert!(calls > 100, "{calls}");
}

/// Moves a slot to another master, and lets calls come in between.
fn move_slot_of(cluster: &RedisCluster, name: &str, round: usize) {
    let from = cluster.master_of(name);
    let others = cluster.servers().iter().filter(|server| server.port() != from.port());
    let to = others.cycle().nth(round).unwrap();
    let slot = cluster.slot_of(name);
    let a_moment = || std::thread::sleep(Duration::from_millis(30));
    a_moment();
    cluster.begin_move(slot, from, to);
    a_moment();
    cluster.move_keys(slot, from, to);
    a_moment();
    cluster.end_move(slot, from, to);
}

/// A lease is a key of its own, which is not where the record is: it cannot be taken, nor is the
/// record taken to be absent.
async fn has_to_wait(backend: &RedisBackend, key: &StateKey) {
    let opened = backend.acquire_and_load(key, &Holder::current()).await;
    let error = opened.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Backend { .. }) && text.contains("is moving"), "{text}");
}

#[tokio::test]
async fn a_state_that_has_moved_ahead_of_its_slot_is_loaded_from_where_it_is() {
    let cluster = RedisCluster::without_replicas(&[]);
    let prefix = fresh_prefix();
    // A large state is known to who has loaded it, and not loaded again.
    for (user, length) in [("alice", 1), ("bob", 20_000)] {
        let backend = impatient(&cluster.url()).prefix(&*prefix).connect().await.unwrap();
        let patient = RedisBackend::builder(&cluster.url()).prefix(&*prefix).build().unwrap();
        let manager = crate::strict(patient);
        let (key, name) = (key(user), record_of(&prefix, user));
        manager.save_state(&key, "x".repeat(length), None).await.unwrap();
        let length_now = async || {
            let loaded = crate::strict(backend.clone()).load_state::<String>(&key).await;
            loaded.unwrap().unwrap().state.len()
        };
        let (slot, from) = (cluster.slot_of(&name), cluster.master_of(&name));
        let to = cluster.servers().iter().find(|server| server.port() != from.port()).unwrap();
        cluster.begin_move(slot, from, to);
        assert_eq!(length_now().await, length);
        // A new lease is made where the slot moves to: it has to wait for its record to come.
        has_to_wait(&backend, &key).await;
        cluster.move_keys(slot, from, to);
        // The new server has not loaded any script either.
        assert_eq!(length_now().await, length);
        assert_eq!(backend.list_states(user).await.unwrap(), slice::from_ref(&key));
        for _ in 0..2 {
            let mut call = manager.begin::<String>(&key).await.unwrap();
            call.state.push('x');
            call.commit().await.unwrap();
        }
        cluster.end_move(slot, from, to);
        assert_eq!(length_now().await, length + 2);
    }
}

#[tokio::test]
async fn the_keys_of_a_master_that_is_away_get_a_clear_error_in_time_and_the_others_work() {
    let cluster = RedisCluster::without_replicas(&[]);
    let [first, second, _] = cluster.servers() else { panic!("not three") };
    let backend = impatient(&cluster.url());
    let prefix = fresh_prefix();
    let backend = backend.prefix(&*prefix).connect().await.unwrap();
    let manager = crate::strict(backend.clone());
    let there = user_of(&cluster, &prefix, second, second);
    let away = user_of(&cluster, &prefix, first, second);
    let not_noted = user_of(&cluster, &prefix, second, first);
    first.kill();
    for number in 1..=3 {
        let started = Instant::now();
        let error = count(&manager, &away).await.unwrap_err();
        assert!(matches!(error, Error::Backend { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(count(&manager, &there).await.unwrap(), number);
        assert_eq!(manager.list_states(&there).await.unwrap(), [key(&there)]);
    }
    // A record that cannot be noted is not made.
    let error = count(&manager, &not_noted).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(manager.load_state::<u32>(&key(&not_noted)).await.unwrap().is_none());
    first.restart();
    cluster.wait_until_whole();
    assert_eq!(count(&manager, &away).await.unwrap(), 1);
    assert_eq!(count(&manager, &not_noted).await.unwrap(), 1);
    assert_eq!(manager.list_states(&not_noted).await.unwrap(), [key(&not_noted)]);
}

#[tokio::test]
async fn a_cluster_that_stands_still_gets_a_clear_error_in_time() {
    let cluster = RedisCluster::without_replicas(&[]);
    let second = Duration::from_secs(1);
    let builder = RedisBackend::builder(&cluster.url()).response_timeout(second);
    let backend = builder.retry_for(second).connect().await.unwrap();
    backend.load_state(&key("alice")).await.unwrap();
    cluster.servers().iter().for_each(RedisServer::pause);
    let begun = Instant::now();
    let error = backend.load_state(&key("alice")).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(begun.elapsed() < second * 6, "{:?}", begun.elapsed());
    cluster.servers().iter().for_each(RedisServer::resume);
    backend.load_state(&key("alice")).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_a_lost_master_gave_does_not_let_two_holders_save() {
    let cluster = RedisCluster::start(Duration::from_millis(1500));
    let prefix = fresh_prefix();
    let open = || {
        let builder = RedisBackend::builder(&cluster.url()).prefix(&*prefix);
        builder.retry_for(Duration::from_secs(30)).build().unwrap()
    };
    let (old, new) = (&cluster.servers()[0], &cluster.servers()[3]);
    let user = user_of(&cluster, &prefix, old, &cluster.servers()[1]);
    let (manager, other) = (crate::strict(open()), open());
    manager.save_state(&key(&user), 0_u32, None).await.unwrap();
    assert_eq!(old.run::<i32>(&["WAIT", "1", "5000"]), 1);
    // The replica does not hear of the lease.
    new.pause();
    old.run::<()>(&["CLIENT", "KILL", "TYPE", "replica"]);
    let mut call = manager.begin::<u32>(&key(&user)).await.unwrap();
    call.state = 1;
    old.kill();
    new.resume();
    let opened = other.acquire_and_load(&key(&user), &Holder::current()).await.unwrap();
    let Opened::Acquired { lease, record: Some(record) } = opened else { panic!("held") };
    let error = call.commit().await.unwrap_err();
    assert!(matches!(error, Error::LeaseLost { .. }), "{error}");
    let next = Revision::after(Some(record.revision));
    let save = Record::new(key(&user), next, None, Metadata::now(), "2".to_owned().into());
    other.save_state(&lease, &Write::new(save, Some(record.revision))).await.unwrap();
    let found = other.load_state(&key(&user)).await.unwrap().unwrap();
    assert_eq!((&*found.state, found.revision), (&b"2"[..], next));
}

#[tokio::test]
async fn a_users_states_on_all_masters_are_listed_and_those_of_other_programs_adopted() {
    let (cluster, prefix) = (shared_cluster(), fresh_prefix());
    let url = format!("{}?prefix={prefix}", cluster.url());
    let backend = RedisBackend::connect(&url).await.unwrap();
    let sessions: Vec<_> = (0..30).map(|number| format!("s{number:02}")).collect();
    let keys: Vec<_> = sessions.iter().map(|s| StateKey::new("alice", s).unwrap()).collect();
    for (number, key) in keys.iter().enumerate() {
        let name = format!("{prefix}:state:alice:{}", key.session_id());
        if number % 2 == 0 {
            let value = r#"{"state":1,"metadata":{},"schema_version":"1.0"}"#;
            cluster.master_of(&name).run::<()>(&["SET", &name, value]);
        } else {
            crate::strict(backend.clone()).save_state(key, 1_u32, None).await.unwrap();
        }
    }
    // It is renamed, to another slot.
    let (found, named) =
        (format!("{prefix}:state:a:b:default"), format!("{prefix}:state:a%3Ab:default"));
    assert_ne!(cluster.slot_of(&found), cluster.slot_of(&named));
    cluster.master_of(&found).run::<()>(&["SET", &found, "theirs"]);
    assert_eq!(backend.list_states("alice").await.unwrap().len(), 15);
    assert_eq!(backend.adopt().await.unwrap(), 16);
    assert_eq!(backend.adopt().await.unwrap(), 0);
    assert_eq!(backend.list_states("alice").await.unwrap(), keys);
    assert_eq!(backend.list_states("a:b").await.unwrap(), [key("a:b")]);
    assert_eq!(cluster.keys(&format!("{prefix}:state:a*b:default")), [named]);
}

#[tokio::test]
async fn a_note_without_a_record_may_be_that_of_a_creator_until_it_is_old() {
    let cluster = RedisCluster::without_replicas(&[]);
    let prefix = fresh_prefix();
    let backend = RedisBackend::builder(&cluster.url()).prefix(&*prefix).connect().await.unwrap();
    let manager = crate::strict(backend.clone());
    count(&manager, "alice").await.unwrap();
    let (record, index) = (record_of(&prefix, "alice"), index_of(&prefix, "alice"));
    cluster.master_of(&record).run::<()>(&["DEL", &record]);
    for (note, left) in [(None, 1), (Some("1:long ago"), 0)] {
        if let Some(note) = note {
            cluster.master_of(&index).run::<()>(&["HSET", &index, "default", note]);
        }
        assert_eq!(backend.list_states("alice").await.unwrap(), []);
        assert_eq!(cluster.master_of(&index).run::<i64>(&["HLEN", &index]), left);
    }
}

#[tokio::test]
async fn of_an_erased_state_in_a_cluster_only_the_entry_is_left_that_says_so() {
    let (cluster, prefix) = (shared_cluster(), fresh_prefix());
    let url = format!("{}?prefix={prefix}", cluster.url());
    let manager = StateManager::connect(&url).await.unwrap();
    for (state, keys) in [("small".to_owned(), 3), ("x".repeat(1 << 20), 4)] {
        manager.save_state(&key("alice"), state, None).await.unwrap();
        assert_eq!(cluster.keys(&format!("{prefix}:*")).len(), keys);
        assert!(manager.erase(&key("alice")).await.unwrap());
        let history = format!("{prefix}:history:{{{}}}", record_of(&prefix, "alice"));
        assert_eq!(cluster.keys(&format!("{prefix}:*")), [history]);
    }
}

#[tokio::test]
async fn a_cluster_is_entered_by_tls_with_a_user_who_has_the_least_rights() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let settings = authority.settings(folder.path());
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let cluster =
        RedisCluster::without_replicas(&[&settings[..], &["--tls-cluster", "yes"]].concat());
    let rights = "on >hunter2 ~agents:* +@scripting +@string +@hash +@stream +@keyspace +@connection +time \
                  +config|get +cluster|slots";
    for server in cluster.servers() {
        let command = [&["ACL", "SETUSER", "agent"][..], &rights.split(' ').collect::<Vec<_>>()];
        server.run::<()>(&command.concat());
    }
    let open = |user: &str| {
        let builder = RedisBackend::builder(&cluster.tls_url_with(user));
        builder.prefix("agents").root_certificates(authority.pem()).connect()
    };
    let backend = open("agent:hunter2@").await.unwrap();
    let manager = crate::strict(backend.clone());
    for user in ["alice", "bob", "carol", "dave", "erin"] {
        assert_eq!(count(&manager, user).await.unwrap(), 1);
        assert_eq!(manager.list_states(user).await.unwrap(), [key(user)]);
    }
    assert_eq!(backend.adopt().await.unwrap(), 0);
    assert!(manager.delete_state(&key("alice")).await.unwrap());
    let shown = format!("{backend:?} {}", backend.location());
    assert!(shown.contains("rediss+cluster://127.0.0.1:") && !shown.contains("hunter2"), "{shown}");

    let text = all_of(&open("agent:hunter3@").await.unwrap_err());
    assert!(text.contains("user and password") && !text.contains("hunter"), "{text}");
    let strange = RedisBackend::builder(&cluster.tls_url_with("agent:hunter2@"));
    let text = all_of(&strange.connect().await.unwrap_err());
    assert!(text.contains("certificate") && !text.contains("hunter"), "{text}");
}

#[tokio::test]
async fn a_url_of_the_wrong_kind_is_refused_and_says_which_is_right() {
    let of_one = format!("redis://127.0.0.1:{}", shared_cluster().servers()[0].port());
    let backend = RedisBackend::connect(&of_one).await.unwrap();
    let mut told = 0;
    for user in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        let Err(error) = backend.load_state(&key(user)).await else { continue };
        assert!(error.to_string().contains("`redis+cluster:`"), "{error}");
        told += 1;
    }
    assert!(told > 0);

    let of_cluster = format!("redis+cluster://127.0.0.1:{}", shared().port());
    let text = RedisBackend::connect(&of_cluster).await.unwrap_err().to_string();
    assert!(text.contains("is no part of a cluster: write `redis:`"), "{text}");
    let of_sentinel = format!("redis+sentinel://127.0.0.1:{}/mymaster", shared().port());
    let text = RedisBackend::connect(&of_sentinel).await.unwrap_err().to_string();
    assert!(text.contains("is no sentinel: write `redis:`"), "{text}");
}

#[tokio::test]
async fn one_server_of_a_cluster_is_enough_to_find_the_others() {
    let cluster = shared_cluster();
    let last = cluster.servers().last().unwrap().port();
    let prefix = fresh_prefix();
    let nobody = "127.0.0.1:1";
    let url = format!("redis+cluster://{nobody},127.0.0.1:{last}?prefix={prefix}");
    let backend = RedisBackend::connect(&url).await.unwrap();
    for user in ["alice", "bob", "carol", "dave"] {
        let held = lease(&backend, &key(user)).await;
        let again = backend.acquire_lease(&key(user), &Holder::current()).await.unwrap();
        assert!(matches!(again, LeaseAttempt::Held(_)));
        backend.release_lease(&held).await.unwrap();
    }
}

/// A server that a slot is moving to cannot tell whether the record will come.
#[tokio::test]
async fn a_new_state_waits_for_its_slot_before_the_call_begins() {
    let cluster = RedisCluster::without_replicas(&[]);
    let prefix = fresh_prefix();
    let backend = impatient(&cluster.url()).prefix(&*prefix).connect().await.unwrap();
    let name = record_of(&prefix, "alice");
    let (slot, from) = (cluster.slot_of(&name), cluster.master_of(&name));
    let to = cluster.servers().iter().find(|server| server.port() != from.port()).unwrap();
    cluster.begin_move(slot, from, to);
    has_to_wait(&backend, &key("alice")).await;
    cluster.end_move(slot, from, to);
    assert_eq!(count(&crate::strict(backend), "alice").await.unwrap(), 1);
}
