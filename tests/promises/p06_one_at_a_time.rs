//! 6. One at a time: calls on one key run one after the other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cogency_state::{
    Error, Holder, LeaseAttempt, MemoryBackend, StateBackend as _, StateManager, robust,
};
use tokio::runtime::Builder;

use crate::places::{Place, key, on_every_backend, take_over};

/// Stays for a while, and says if it is not alone.
#[robust(persist = manager)]
async fn alone(
    state: &mut Vec<u32>,
    manager: &StateManager,
    user_id: &str,
    number: u32,
    inside: &AtomicU32,
    stay: Duration,
) -> Result<Vec<u32>, Error> {
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two calls at once");
    tokio::time::sleep(stay).await;
    inside.fetch_sub(1, Ordering::SeqCst);
    state.push(number);
    Ok(state.clone())
}

#[robust(persist = manager, wait = "100ms")]
async fn impatient(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

const SHORT: Duration = Duration::from_millis(2);

on_every_backend! {
    async fn tasks_run_in_the_order_in_which_they_came(place: Place) {
        let inside = Arc::new(AtomicU32::new(0));
        let mut tasks = Vec::new();
        // The first stays until all others stand in line.
        for number in 0..20 {
            // Each through a manager of its own.
            let (manager, inside) = (place.manager(), Arc::clone(&inside));
            let stay = if number == 0 { Duration::from_millis(300) } else { SHORT };
            tasks.push(tokio::spawn(async move {
                alone(&manager, "alice", number, &inside, stay).await
            }));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut last = Vec::new();
        for task in tasks {
            last = task.await.unwrap().unwrap();
        }
        assert!(last.into_iter().eq(0..20));
    }

    async fn different_keys_do_not_wait_for_each_other(place: Place) {
        let manager = place.manager();
        let held = manager.begin::<u32>(&key("alice")).await.unwrap();
        assert_eq!(impatient(&manager, "bob").await.unwrap(), 1);
        held.rollback().await;
    }

    async fn waiting_is_bounded_and_names_who_holds_the_key(place: Place) {
        let manager = place.manager();
        let held = manager.begin::<u32>(&key("alice")).await.unwrap();
        let started = Instant::now();
        let error = impatient(&manager, "alice").await.unwrap_err();
        assert!(started.elapsed() >= Duration::from_millis(100));
        let Error::LeaseTimeout { holder, waited, .. } = &error else { panic!("{error}") };
        assert_eq!(holder.process, std::process::id());
        assert_eq!(*waited, Duration::from_millis(100));
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        held.rollback().await;
        assert_eq!(impatient(&manager, "alice").await.unwrap(), 1);
    }

    async fn a_manager_may_say_how_long_its_calls_wait(place: Place) {
        let held = place.manager().begin::<u32>(&key("alice")).await.unwrap();
        let manager = place.builder().wait(Duration::ZERO).build();
        let error = manager.begin::<u32>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::LeaseTimeout { .. }), "{error}");
        held.rollback().await;
        manager.begin::<u32>(&key("alice")).await.unwrap();
    }

    async fn the_key_is_free_at_once_when_a_call_is_dropped(place: Place) {
        let manager = place.manager();
        for _ in 0..20 {
            let held = manager.begin::<u32>(&key("alice")).await.unwrap();
            drop(held);
            impatient(&manager, "alice").await.unwrap();
        }
    }

    async fn those_who_gave_up_waiting_are_not_waited_for(place: Place) {
        let manager = place.manager();
        let held = manager.begin::<u32>(&key("alice")).await.unwrap();
        let waiting: Vec<_> = (0..10).map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move { impatient(&manager, "alice").await })
        }).collect();
        tokio::time::sleep(Duration::from_millis(30)).await;
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        held.rollback().await;
        assert_eq!(impatient(&manager, "alice").await.unwrap(), 1);
    }

    async fn threads_with_runtimes_of_their_own_run_one_after_the_other(place: Place) {
        let (inside, place) = (Arc::new(AtomicU32::new(0)), Arc::new(place));
        let threads: Vec<_> = (0..4).map(|thread| {
            let (inside, place) = (Arc::clone(&inside), Arc::clone(&place));
            std::thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let manager = place.manager();
                    for number in 0..10 {
                        alone(&manager, "alice", thread * 10 + number, &inside, SHORT)
                            .await
                            .unwrap();
                    }
                });
            })
        }).collect();
        tokio::task::spawn_blocking(|| {
            for thread in threads {
                thread.join().unwrap();
            }
        }).await.unwrap();
        let manager = place.manager();
        let loaded = manager.load_state::<Vec<u32>>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.len(), 40);
    }
}

const TTL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_lease_is_renewed_while_the_body_runs_however_long() {
    for place in Place::with_leases(TTL) {
        let (slow, other) = (place.manager(), place.manager());
        let inside = AtomicU32::new(0);
        let (slow, refused) = tokio::join!(alone(&slow, "alice", 1, &inside, TTL * 6), async {
            tokio::time::sleep(TTL * 2).await;
            // Not through the queue of this process: as another process would ask.
            other.backend().acquire_lease(&key("alice"), &Holder::current()).await.unwrap()
        });
        assert!(matches!(refused, LeaseAttempt::Held(_)));
        assert_eq!(slow.unwrap(), [1]);
    }
}

/// Of other backends the conformance suite looks at that, among much else.
#[test]
fn in_memory_whoever_takes_a_lease_later_has_the_greater_token() {
    let (backend, newest) = (MemoryBackend::new(), Mutex::new(0));
    let take_often = || async {
        for _ in 0..20_000 {
            let taken = backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap();
            let LeaseAttempt::Acquired(lease) = taken else { continue };
            let before = std::mem::replace(&mut *newest.lock().unwrap(), lease.token());
            assert!(before < lease.token(), "{} after {before}", lease.token());
            backend.release_lease(&lease).await.unwrap();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                Builder::new_current_thread().build().unwrap().block_on(take_often());
            });
        }
    });
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_body_keeps_its_thread_busy() {
    // A busy machine may be late by half of a second.
    const TTL: Duration = Duration::from_secs(1);
    for place in Place::with_leases(TTL) {
        let manager = place.manager();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let busy = runtime.spawn(async move {
            let call = manager.begin::<u32>(&key("alice")).await.unwrap();
            std::thread::sleep(TTL * 4);
            call.commit().await
        });
        tokio::time::sleep(TTL * 2).await;
        let backend = Arc::clone(place.manager().backend());
        let refused = backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap();
        assert!(matches!(refused, LeaseAttempt::Held(_)));
        busy.await.unwrap().unwrap();
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn a_lease_is_renewed_while_all_threads_that_may_block_are_busy() {
    for place in Place::with_leases(TTL) {
        let manager = place.manager();
        let runtime =
            Builder::new_multi_thread().max_blocking_threads(1).enable_all().build().unwrap();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        runtime.spawn_blocking(move || ended.recv());
        let held = runtime.spawn(async move { manager.begin::<u32>(&key("alice")).await });
        let call = held.await.unwrap().unwrap();
        tokio::time::sleep(TTL * 2).await;
        let backend = Arc::clone(place.manager().backend());
        let refused = backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap();
        assert!(matches!(refused, LeaseAttempt::Held(_)));
        drop(end);
        runtime.spawn(call.commit()).await.unwrap().unwrap();
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_but_that_nobody_took_still_counts() {
    for place in Place::with_leases(TTL) {
        let manager = place.manager();
        let call = manager.begin::<u32>(&key("alice")).await.unwrap();
        // The whole runtime stands still: nothing is renewed.
        std::thread::sleep(TTL * 3);
        call.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_holder_that_lost_its_lease_cannot_save() {
    for place in Place::with_leases(TTL) {
        let manager = place.manager();
        let mut call = manager.begin::<u32>(&key("alice")).await.unwrap();
        call.state = 1;
        let _taken = take_over(&place, &key("alice"));
        let error = call.commit().await.unwrap_err();
        assert!(matches!(error, Error::LeaseLost { .. }), "{error}");
        assert!(manager.backend().load_state(&key("alice")).await.unwrap().is_none());
    }
}
