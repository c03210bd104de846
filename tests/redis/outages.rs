//! Servers that are away, restart, forget their scripts, or stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cogency_state::{
    Error, Holder, LeaseAttempt, RedisBackend, StateBackend as _, StateManager, robust,
};
use cogency_state_tests::redis::{RedisCluster, RedisServer};

use crate::{impatient, key};

#[robust(persist = manager)]
async fn count(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

fn open(server: &RedisServer) -> StateManager {
    crate::strict(RedisBackend::new(&server.url()).unwrap())
}

#[tokio::test]
async fn a_server_that_forgets_its_scripts_goes_unnoticed() {
    let server = RedisServer::start();
    let manager = open(&server);
    for number in 1..=3 {
        server.run::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(count(&manager, "alice").await.unwrap(), number);
        server.run::<()>(&["SCRIPT", "FLUSH"]);
        manager.save_state(&key(&format!("{number}")), "x".repeat(1 << 20), None).await.unwrap();
        server.run::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
    }
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_goes_unnoticed() {
    let server = RedisServer::start();
    let manager = open(&server);
    for number in 1..=5 {
        assert_eq!(count(&manager, "alice").await.unwrap(), number);
        server.run::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
}

#[tokio::test]
async fn a_restarted_server_goes_unnoticed_and_nothing_is_lost() {
    let server = RedisServer::start();
    let manager = open(&server);
    for number in 1..=5 {
        assert_eq!(count(&manager, "alice").await.unwrap(), number);
        server.restart();
    }
    assert_eq!(count(&open(&server), "alice").await.unwrap(), 6);
}

#[tokio::test]
async fn a_manager_can_be_made_before_its_server_is_up() {
    let server = RedisServer::start();
    server.kill();
    let manager = open(&server);
    let calling = tokio::spawn(async move { count(&manager, "alice").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let restarted = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    });
    let _server = restarted.await.unwrap();
    assert_eq!(calling.await.unwrap().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_within_two_seconds_of_the_servers_return() {
    let server = RedisServer::start();
    let manager = open(&server);
    count(&manager, "alice").await.unwrap();
    server.kill();
    let calling = {
        let manager = manager.clone();
        tokio::spawn(async move { count(&manager, "alice").await })
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.restart();
    let back = Instant::now();
    assert_eq!(calling.await.unwrap().unwrap(), 2);
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
}

#[tokio::test]
async fn a_server_that_is_away_gets_a_clear_error_in_time() {
    let server = RedisServer::start();
    server.kill();
    let started = Instant::now();
    let error = RedisBackend::connect(&server.url()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(1), "connecting does not wait for it");
    assert!(matches!(error, Error::Backend { operation: "connect", .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&server.port().to_string()) && text.contains("whether it runs"),
        "{text}"
    );

    let manager = crate::strict(impatient(&server.url()).build().unwrap());
    let started = Instant::now();
    let error = count(&manager, "alice").await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_stands_still_gets_an_error_in_time_and_is_used_again() {
    let server = RedisServer::start();
    let backend = impatient(&server.url()).build().unwrap();
    let manager = crate::strict(backend.clone());
    assert_eq!(count(&manager, "alice").await.unwrap(), 1);
    let call = manager.begin::<u32>(&key("alice")).await.unwrap();
    server.pause();
    let started = Instant::now();
    // It may be done yet, and it is not said that it was not.
    let error = call.commit().await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { write_id: Some(_), .. }), "{error}");
    let error = backend.load_state(&key("alice")).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    server.resume();
    assert_eq!(count(&manager, "alice").await.unwrap(), 2, "the commit had nothing new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice_while_the_server_is_killed() {
    const KILLS: usize = 6;
    let server = Arc::new(RedisServer::start());
    let done = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (server, done) = (Arc::clone(&server), Arc::clone(&done));
            // Each with a connection of its own, as other processes have.
            tokio::spawn(async move {
                let (mut acknowledged, mut unknown) = (0, 0);
                let manager = open(&server);
                while !done.load(Ordering::SeqCst) {
                    let user = if task % 2 == 0 { "alice" } else { "bob" };
                    match count(&manager, user).await {
                        Ok(_) => acknowledged += 1,
                        Err(Error::OutcomeUnknown { .. }) => unknown += 1,
                        // Its lease went to another one while the server was away.
                        Err(Error::LeaseLost { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                (task, acknowledged, unknown)
            })
        })
        .collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let server = Arc::clone(&server);
        tokio::task::spawn_blocking(move || server.restart()).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let mut totals = [(0, 0); 2];
    for task in tasks {
        let (task, acknowledged, unknown) = task.await.unwrap();
        assert!(acknowledged > 0);
        totals[task % 2].0 += acknowledged;
        totals[task % 2].1 += unknown;
    }
    let manager = open(&server);
    for (user, (acknowledged, unknown)) in ["alice", "bob"].into_iter().zip(totals) {
        let stored = manager.load_state::<u32>(&key(user)).await.unwrap().unwrap().state;
        let due = acknowledged..=acknowledged + unknown;
        assert!(due.contains(&stored), "{user}: {stored}, due {due:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_reading_its_data_is_waited_for_or_named() {
    // Slowly, and it looks up from its reading every thousand writes.
    let server = RedisServer::with(&["--key-load-delay", "100"]);
    let script = "for n = 1, 20000 do redis.call('SET', n, n) end";
    server.run::<()>(&["EVAL", script, "0"]);
    server.start_without_waiting();
    let begun = Instant::now();
    let backend = impatient(&server.url()).retry_for(Duration::from_millis(100)).build().unwrap();
    let mut was_named = false;
    while begun.elapsed() < Duration::from_secs(1) {
        match backend.load_state(&key("alice")).await {
            Err(error) => was_named |= error.to_string().contains("LOADING"),
            Ok(_) => break,
        }
    }
    assert!(was_named, "it was ready after {:?}", begun.elapsed());
    assert_eq!(count(&open(&server), "alice").await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_is_reading_its_data_is_not_asked_to_take_back_what_it_did_not_give() {
    let server = RedisServer::with(&["--key-load-delay", "100"]);
    let script = "for n = 1, 100000 do redis.call('SET', n, n) end";
    server.run::<()>(&["EVAL", script, "0"]);
    server.start_without_waiting();
    let manager = crate::strict(impatient(&server.url()).build().unwrap());
    let error = loop {
        let error = count(&manager, "alice").await.unwrap_err().to_string();
        // Before that it may not even listen.
        if error.contains("LOADING") {
            break error;
        }
    };
    assert!(error.contains("try again"), "{error}");
    let asked: String = server.run(&["INFO", "commandstats"]);
    assert!(asked.contains("cmdstat_set:") && !asked.contains("cmdstat_evalsha:"), "{asked}");
}

#[tokio::test]
async fn a_holder_that_stood_still_beyond_its_lease_cannot_save() {
    const TTL: Duration = Duration::from_millis(200);
    let server = RedisServer::start();
    let open = || RedisBackend::builder(&server.url()).lease_ttl(TTL).build().unwrap();
    let manager = crate::strict(open());
    let mut call = manager.begin::<u32>(&key("alice")).await.unwrap();
    call.state = 7;
    let other = open();
    // It is connected: nothing is waited for, and so nothing renewed, until it has the lease.
    assert!(other.load_state(&key("alice")).await.unwrap().is_none());
    // The whole runtime stands still.
    std::thread::sleep(TTL * 2);
    let taken = other.acquire_lease(&key("alice"), &Holder::current()).await.unwrap();
    assert!(matches!(taken, LeaseAttempt::Acquired(_)));
    let error = call.commit().await.unwrap_err();
    assert!(matches!(error, Error::LeaseLost { .. }), "{error}");
    assert!(other.load_state(&key("alice")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_that_nobody_waits_for_any_more_is_given_back() {
    const LONG: Duration = Duration::from_secs(600);
    let server = RedisServer::start();
    let builder = RedisBackend::builder(&server.url()).lease_ttl(LONG);
    let backend = builder.build().unwrap();
    backend.load_state(&key("alice")).await.unwrap();
    for _ in 0..20 {
        let (alice, holder) = (key("alice"), Holder::current());
        let mut acquiring = backend.acquire_lease(&alice, &holder);
        // The command is on its way, and its answer is not there.
        assert!(poll_once(&mut acquiring).await.is_pending());
        tokio::task::yield_now().await;
        drop(acquiring);
        let free = async {
            loop {
                match backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap() {
                    LeaseAttempt::Acquired(lease) => return lease,
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let lease = tokio::time::timeout(Duration::from_secs(10), free).await.unwrap();
        backend.release_lease(&lease).await.unwrap();
    }
}

/// As a branch of `select!` that lost does, or a task of a runtime that nobody runs any more.
#[tokio::test]
async fn one_who_stopped_while_connecting_keeps_nobody_else_from_the_server() {
    let cluster = RedisCluster::without_replicas(&[]);
    let server = RedisServer::start();
    for url in [server.url(), cluster.url()] {
        let backend = RedisBackend::new(&url).unwrap();
        let alice = key("alice");
        let mut stopped = backend.load_state(&alice);
        assert!(poll_once(&mut stopped).await.is_pending());
        assert!(backend.load_state(&alice).await.unwrap().is_none());
        assert!(stopped.await.unwrap().is_none());
    }
}

#[test]
fn a_runtime_that_nobody_runs_any_more_keeps_no_other_from_the_server() {
    let cluster = RedisCluster::without_replicas(&[]);
    let server = RedisServer::start();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for url in [server.url(), cluster.url()] {
        let (backend, alice) = (RedisBackend::new(&url).unwrap(), key("alice"));
        let stopped = runtime();
        stopped.block_on(async {
            let (backend, alice) = (backend.clone(), alice.clone());
            drop(tokio::spawn(async move { backend.load_state(&alice).await }));
            // It begins, and so does what connects for it.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        assert!(runtime().block_on(backend.load_state(&alice)).unwrap().is_none());
        assert!(stopped.block_on(backend.load_state(&alice)).unwrap().is_none());
    }
}

#[test]
fn without_a_runtime_there_is_an_error_for_that() {
    for url in ["redis://127.0.0.1", "redis+sentinel://127.0.0.1/m", "redis+cluster://127.0.0.1"] {
        let (backend, alice) = (RedisBackend::new(url).unwrap(), key("alice"));
        let mut loading = backend.load_state(&alice);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(&mut loading).poll(&mut context) {
            std::task::Poll::Ready(Err(Error::NoRuntime)) => {}
            other => panic!("{url}: {other:?}"),
        }
    }
}

/// Polls once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))
    })
    .await
}
