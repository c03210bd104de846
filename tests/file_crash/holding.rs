//! Keys that another process holds.

use std::time::{Duration, Instant};

use cogency_state::{Error, FileBackend, StateManager};
use cogency_state_tests::page::Page;

use crate::agent::{Agent, start};
use crate::place::{Place, block_on, key, number, turn};
use crate::programs::run;

fn holder(place: &Place) -> Agent {
    let mut agent = start("hold", &place.root, &["alice"]);
    assert_eq!((agent.line().as_str(), agent.line().as_str()), ("ready", "held"));
    agent
}

fn patient(place: &Place, wait: Duration) -> StateManager {
    StateManager::builder(FileBackend::new(&place.root)).wait(wait).build()
}

#[test]
fn promise_06_whoever_waits_has_the_key_as_soon_as_its_holder_is_killed() {
    let place = Place::new();
    let mut longest = Duration::ZERO;
    for turned in 1..=10 {
        let agent = holder(&place);
        let manager = patient(&place, Duration::from_secs(60));
        block_on(async {
            let waiting = turn(&manager, "alice");
            let killing = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                agent.kill();
                Instant::now()
            };
            let (waited, killed) = tokio::join!(waiting, killing);
            assert_eq!(waited.unwrap(), turned);
            longest = longest.max(killed.elapsed());
        });
    }
    println!("at most {longest:?} from the kill to the end of the next call");
    assert!(longest < Duration::from_secs(2));
}

#[test]
fn promise_06_waiting_is_bounded_and_its_end_names_the_holder() {
    let place = Place::new();
    let agent = holder(&place);
    let manager = patient(&place, Duration::from_millis(200));
    block_on(async {
        let started = Instant::now();
        let error = manager.begin::<Page>(&key("alice")).await.unwrap_err();
        let waited = started.elapsed();
        let Error::LeaseTimeout { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(holder.process, agent.id(), "{error}");
        assert!(waited >= Duration::from_millis(200) && waited < Duration::from_secs(2));
        // Whoever only reads waits for nobody, and other keys are free.
        assert_eq!(number(&manager, "alice").await.unwrap(), 0);
        assert_eq!(turn(&manager, "bob").await.unwrap(), 1);
        agent.succeed();
        assert_eq!(turn(&manager, "alice").await.unwrap(), 1);
    });
}

#[test]
fn promise_06_a_holder_that_is_paused_still_holds_its_key() {
    let place = Place::new();
    let agent = holder(&place);
    let signal = |name| run("sh", ["-c", &format!("kill -{name} {}", agent.id())]);
    let manager = patient(&place, Duration::from_millis(500));
    signal("STOP");
    let error = block_on(async { turn(&manager, "alice").await }).unwrap_err();
    signal("CONT");
    let Error::LeaseTimeout { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(holder.process, agent.id());
    agent.succeed();
    assert_eq!(block_on(async { turn(&manager, "alice").await }).unwrap(), 1);
}
