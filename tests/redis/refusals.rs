//! What the server refuses: each a clear error, after which nothing has changed.

use std::time::Duration;

use cogency_state::{
    Error, Holder, RedisBackend, Revision, StateBackend as _, StateKey, StateManager, WriteId,
    robust,
};
use cogency_state_tests::redis::{RedisServer, fresh_prefix, shared};

use crate::{all_of, key, lease};

const SECRET: &str = "hunter2";

#[robust(persist = manager)]
async fn say(
    state: &mut Vec<String>,
    manager: &StateManager,
    user_id: &str,
    word: &str,
) -> Result<usize, Error> {
    state.push(word.to_owned());
    Ok(state.len())
}

fn open(server: &RedisServer) -> RedisBackend {
    RedisBackend::new(&server.url()).unwrap()
}

/// Fails unless an error names the server's, says what to do, and shows no state.
fn tells(error: &Error, code: &str, advice: &str) {
    let text = error.to_string();
    assert!(matches!(error, Error::Backend { .. }), "{error:?}");
    assert!(text.contains(code) && text.contains(advice), "{text}");
    assert!(!all_of(error).contains(SECRET), "{error:?}");
}

/// Fails unless a server that is made to refuse writes refuses a call and a save, and they go well
/// when it is mended.
async fn refuses_writes(
    server: &RedisServer,
    (code, advice): (&str, &str),
    refuse: impl Fn(),
    mend: impl Fn(),
) {
    // A key cannot be given back either: it is free when its lease has run out.
    let builder = RedisBackend::builder(&server.url()).lease_ttl(Duration::from_millis(300));
    let manager = crate::strict(builder.build().unwrap());
    assert_eq!(say(&manager, "alice", SECRET).await.unwrap(), 1);
    for size in [10, 1 << 20] {
        let mut call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
        refuse();
        tells(&say(&manager, "bob", SECRET).await.unwrap_err(), code, advice);
        call.state.push(SECRET.repeat(size));
        tells(&call.commit().await.unwrap_err(), code, advice);
        // Reading goes on.
        let loaded = manager.load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state, [SECRET]);
        assert!(manager.load_state::<Vec<String>>(&key("bob")).await.unwrap().is_none());
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
        assert!(manager.list_states("bob").await.unwrap().is_empty());
        mend();
    }
    assert_eq!(say(&manager, "alice", "again").await.unwrap(), 2);
    assert_eq!(say(&manager, "bob", "again").await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_without_memory_refuses_and_says_so() {
    let server = RedisServer::start();
    let set = |bytes| server.run::<()>(&["CONFIG", "SET", "maxmemory", bytes]);
    refuses_writes(&server, ("OOM", "maxmemory"), || set("1"), || set("0")).await;
}

#[tokio::test]
async fn a_server_without_memory_deletes_states_and_gives_keys_back() {
    let server = RedisServer::start();
    let backend = open(&server);
    let manager = crate::strict(backend.clone());
    say(&manager, "alice", SECRET).await.unwrap();
    let held = lease(&backend, &key("alice")).await;
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(backend.delete_state(&held).await.unwrap());
    assert!(backend.load_state(&key("alice")).await.unwrap().is_none());
    assert!(!backend.delete_state(&held).await.unwrap());
    backend.release_lease(&held).await.unwrap();
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(say(&manager, "alice", "anew").await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_write_to_its_disk_refuses_and_says_so() {
    let server = RedisServer::with(&["--enable-protected-configs", "yes"]);
    let gone = server.folder().join("gone");
    std::fs::create_dir(&gone).unwrap();
    server.run::<()>(&["CONFIG", "SET", "dir", gone.to_str().unwrap()]);
    std::fs::remove_dir(&gone).unwrap();
    let set = |save| server.run::<()>(&["CONFIG", "SET", "save", save]);
    let fail = || {
        set("3600 1");
        server.run::<()>(&["BGSAVE"]);
        while !server.run::<String>(&["INFO", "persistence"]).contains("bgsave_status:err") {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    refuses_writes(&server, ("MISCONF", "disk"), fail, || set("")).await;
}

#[tokio::test]
async fn a_replica_refuses_and_says_so() {
    let server = RedisServer::start();
    // One that has not found its master keeps what it has.
    let follow = |host, port| server.run::<()>(&["REPLICAOF", host, port]);
    let demote = || follow("127.0.0.1", "1");
    refuses_writes(&server, ("READONLY", "master"), demote, || follow("NO", "ONE")).await;
}

#[tokio::test]
async fn a_key_of_another_type_is_refused_and_left() {
    let prefix = fresh_prefix();
    let backend = RedisBackend::builder(&shared().url()).prefix(&*prefix).build().unwrap();
    let manager = crate::strict(backend.clone());
    let names = |user: &str| {
        let record = format!("{prefix}:state:{user}:default");
        [format!("{prefix}:lease:{{{record}}}"), record, format!("{prefix}:index:{user}")]
    };
    for (place, user) in ["lease", "record", "index"].iter().enumerate() {
        let user = &format!("with-{user}");
        let name = &names(user)[place];
        shared().run::<()>(&["RPUSH", name, SECRET]);
        tells(&say(&manager, user, SECRET).await.unwrap_err(), "WRONGTYPE", "another type");
        assert_eq!(shared().run::<Vec<String>>(&["LRANGE", name, "0", "-1"]), [SECRET]);
        // Nothing else was made, and no key stays taken.
        let found: Vec<String> = shared().run(&["KEYS", &format!("{prefix}:*{user}*")]);
        assert_eq!(found, [name.as_str()]);
        shared().run::<()>(&["DEL", name]);
        assert_eq!(say(&manager, user, "again").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_value_that_is_not_ours_is_refused_left_and_deleted_when_asked_to() {
    let prefix = fresh_prefix();
    let backend = RedisBackend::builder(&shared().url()).prefix(&*prefix).build().unwrap();
    let manager = crate::strict(backend.clone());
    let name = format!("{prefix}:state:alice:default");
    for value in ["", SECRET, "{}", "[]", "null", "{\"state\": 1}", "\u{0}"] {
        shared().run::<()>(&["SET", &name, value]);
        let stranger = Revision { version: 1, write_id: WriteId::generate() };
        for error in [
            say(&manager, "alice", SECRET).await.unwrap_err(),
            manager.load_state::<u32>(&key("alice")).await.unwrap_err(),
            manager.save_state(&key("alice"), 1_u32, None).await.unwrap_err(),
            manager.save_state(&key("alice"), 1_u32, Some(stranger)).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Corrupt { .. }), "{value:?}: {error}");
            assert!(!all_of(&error).contains(SECRET), "{error:?}");
        }
        assert_eq!(shared().run::<String>(&["GET", &name]), value);
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert!(manager.load_state::<u32>(&key("alice")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_server_without_scripts_is_named_and_the_state_is_not() {
    let server = RedisServer::with(&["--rename-command", "EVALSHA", ""]);
    let error = say(&crate::strict(open(&server)), SECRET, SECRET).await.unwrap_err();
    let Error::Backend { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("unknown command"), "{source}");
    // The user id is part of the key, which the message names; the server repeats all arguments.
    assert!(!source.to_string().contains(SECRET), "{source}");
}

#[tokio::test]
async fn a_lease_that_the_server_forgot_is_lost() {
    let prefix = fresh_prefix();
    let backend = RedisBackend::builder(&shared().url()).prefix(&*prefix).build().unwrap();
    let alice = StateKey::for_user("alice").unwrap();
    let held = lease(&backend, &alice).await;
    shared().run::<()>(&["DEL", &format!("{prefix}:lease:{{{prefix}:state:alice:default}}")]);
    let lost = |error: Error| assert!(matches!(error, Error::LeaseLost { .. }), "{error}");
    lost(backend.renew_lease(&held).await.unwrap_err());
    lost(backend.delete_state(&held).await.unwrap_err());
    backend.release_lease(&held).await.unwrap();
    let next = backend.acquire_lease(&alice, &Holder::current()).await.unwrap();
    drop(next);
}

#[tokio::test]
async fn a_server_that_lacks_what_redis_7_has_is_said_to_be_too_old() {
    let server = RedisServer::with(&["--rename-command", "PEXPIRETIME", ""]);
    let backend = RedisBackend::new(&server.url()).unwrap();
    let error = backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(error.to_string().contains("older than Redis 7"), "{error}");
}
