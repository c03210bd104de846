//! 13. A good citizen of async.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use cogency_state::{Error, StateManager, robust};
use tokio::runtime::Builder;

use crate::places::{Place, key, on_every_backend};

#[robust(persist = manager)]
async fn append(
    state: &mut Vec<u32>,
    manager: &StateManager,
    user_id: &str,
) -> Result<usize, Error> {
    tokio::task::yield_now().await;
    state.push(1);
    Ok(state.len())
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// Polls a future at most so many times, and drops it. `true` if it came to its end.
async fn polled(times: usize, future: impl Future<Output = Result<usize, Error>>) -> bool {
    let mut future = std::pin::pin!(future);
    for _ in 0..times {
        let poll = std::future::poll_fn(|context: &mut Context<'_>| {
            Poll::Ready(future.as_mut().poll(context))
        });
        if poll.await.is_ready() {
            return true;
        }
        // As long as it takes until the next poll makes a difference.
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    false
}

on_every_backend! {
    async fn every_future_is_send(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        is_send(append(&manager, "alice")).await.unwrap();
        is_send(manager.list_states("alice")).await.unwrap();
        let mut call = is_send(manager.begin::<Vec<u32>>(&key)).await.unwrap();
        call.state.push(2);
        is_send(call.commit()).await.unwrap();
        let loaded = is_send(manager.load_state::<Vec<u32>>(&key)).await.unwrap().unwrap();
        is_send(manager.save_state(&key, loaded.state, Some(loaded.revision))).await.unwrap();
        is_send(manager.delete_state(&key)).await.unwrap();
    }

    async fn a_call_that_is_dropped_at_any_await_leaves_an_old_or_a_new_record_and_a_free_key(
        place: Place
    ) {
        let manager = place.manager();
        let mut length = 0;
        for polls in 0..40 {
            let done = polled(polls, append(&manager, "alice")).await;
            // The next call waits for a save that is under way, and finds the key free.
            let next = append(&manager, "alice").await.unwrap();
            let expected = if done { length + 2..=length + 2 } else { length + 1..=length + 2 };
            assert!(expected.contains(&next), "{next} after {length}, {polls} polls");
            length = next;
        }
        assert_eq!(append(&place.manager(), "alice").await.unwrap(), length + 1);
    }

    async fn a_large_state_does_not_block_the_thread_that_runs_the_tasks(place: Place) {
        let turns = vec!["x".repeat(100); 500_000];
        let place = Arc::new(place);
        let longest = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(longest_gap_during(async {
                let manager = place.manager();
                manager.save_state(&key("large"), turns, None).await.unwrap();
                place.manager().load_state::<Vec<String>>(&key("large")).await.unwrap().unwrap();
            }))
        }).await.unwrap();
        let (gap, work) = longest;
        // Not a benchmark: 50 MB take many times as long as what a thread may be kept.
        assert!(gap < work / 4, "{gap:?} of {work:?}");
    }

    async fn a_dropped_call_frees_its_key_though_nobody_runs_its_runtime(place: Place) {
        let idle = Builder::new_current_thread().enable_all().build().unwrap();
        let (place, idle) = tokio::task::spawn_blocking(move || {
            let manager = place.manager();
            idle.block_on(async {
                let held = manager.begin::<usize>(&key("alice")).await.unwrap();
                let in_time = tokio::time::timeout(Duration::ZERO, async move {
                    std::future::pending::<()>().await;
                    drop(held);
                });
                assert!(in_time.await.is_err());
            });
            (place, idle)
        }).await.unwrap();
        let manager = place.builder().wait(Duration::from_secs(10)).build();
        manager.begin::<usize>(&key("alice")).await.unwrap();
        idle.shutdown_background();
    }

    async fn runtimes_come_and_go_and_the_states_stay(place: Place) {
        let place = Arc::new(place);
        for length in 1..=3 {
            let place = Arc::clone(&place);
            tokio::task::spawn_blocking(move || {
                let mut builder = Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).enable_all().build().unwrap();
                let now = runtime.block_on(append(&place.manager(), "alice")).unwrap();
                assert_eq!(now, length);
            }).await.unwrap();
        }
    }
}

/// The longest time in which no other task got its turn, and how long the work took. Freeing the
/// results counts as the caller's.
async fn longest_gap_during(work: impl Future<Output = ()>) -> (Duration, Duration) {
    let done = Arc::new(AtomicBool::new(false));
    let ticker = {
        let done = Arc::clone(&done);
        tokio::spawn(async move {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            while !done.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            longest
        })
    };
    let started = Instant::now();
    work.await;
    let took = started.elapsed();
    done.store(true, Ordering::SeqCst);
    (ticker.await.unwrap(), took)
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let place = Place::file();
    let manager = place.manager();
    let mut call = std::pin::pin!(append(&manager, "alice"));
    let mut context = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Err(error)) = call.as_mut().poll(&mut context) else { panic!("no error") };
    assert!(matches!(error, Error::NoRuntime), "{error}");
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}
