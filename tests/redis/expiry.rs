//! States that expire: by the server's clock, and not under a call.

use std::time::Duration;

use cogency_state::{
    Error, Holder, Lease, Metadata, Opened, Record, RedisBackend, Revision, StateBackend as _,
    StateKey, StateManager, StateManagerBuilder, Write,
};
use cogency_state_tests::redis::{Cut, Proxy, fresh_prefix, shared};
use tokio::time::{Instant, sleep};

use crate::{key, lease};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// What is due happens within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(10);

/// A backend, and what the server has for its key "alice".
struct Place {
    backend: RedisBackend,
    prefix: String,
}

impl Place {
    fn with_leases(ttl: Duration) -> Self {
        let prefix = fresh_prefix();
        let builder = RedisBackend::builder(&shared().url()).prefix(&*prefix).lease_ttl(ttl);
        Self { backend: builder.build().unwrap(), prefix }
    }

    fn record(&self) -> String {
        format!("{}:state:alice:default", self.prefix)
    }

    /// When the record goes, in milliseconds; -1 for never, -2 for gone.
    fn expires(&self) -> i64 {
        shared().run(&["PEXPIRETIME", &self.record()])
    }

    /// Whether the record goes with the lease, within what commands behind each other may take.
    fn is_kept(&self) -> bool {
        const REMEMBERED: i64 = 24 * 60 * 60 * 1000;
        let lease = format!("{}:lease:{{{}}}", self.prefix, self.record());
        let until = shared().run::<i64>(&["PEXPIRETIME", &lease]) - REMEMBERED;
        (self.expires() - until).abs() < 10_000
    }

    fn manager(&self, ttl: Option<Duration>) -> StateManager {
        let builder = crate::failing(self.backend.clone());
        ttl.into_iter().fold(builder, StateManagerBuilder::ttl).build()
    }

    async fn open(&self) -> (Lease, Option<Record>) {
        match self.backend.acquire_and_load(&key("alice"), &Holder::current()).await.unwrap() {
            Opened::Acquired { lease, record } => (lease, record),
            other => panic!("{other:?}"),
        }
    }

    async fn gone(&self) {
        let begun = Instant::now();
        while self.expires() != -2 {
            assert!(begun.elapsed() < PATIENCE, "it does not expire");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A save of a state over another, to be gone after a while.
fn write(replaces: Option<Revision>, ttl: Duration) -> Write {
    let revision = Revision::after(replaces);
    let record = Record::new(key("alice"), revision, None, Metadata::now(), "1".into());
    Write::new(record, replaces).with_ttl(Some(ttl))
}

fn now() -> i64 {
    let (seconds, micros): (i64, i64) = shared().run(&["TIME"]);
    seconds * 1000 + micros / 1000
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

#[tokio::test]
async fn the_server_knows_when_a_state_expires_whatever_its_size() {
    let place = Place::with_leases(MINUTE);
    let mut last = None;
    for length in [1, 1 << 20] {
        for ttl in [Some(HOUR), None, Some(7 * 24 * HOUR), Some(Duration::from_nanos(1_000_001))] {
            let (manager, begun) = (place.manager(ttl), now());
            let state = "x".repeat(length);
            let saved = manager.save_state(&key("alice"), state, last).await.unwrap();
            let (expires, ended) = (place.expires(), now());
            match ttl.map(millis) {
                None => assert_eq!(expires, -1),
                // Rounded up; it may be gone already.
                Some(1) => assert!(expires == -2 || (begun + 2..=ended + 2).contains(&expires)),
                Some(ttl) => assert!((begun + ttl..=ended + ttl).contains(&expires), "{expires}"),
            }
            last = Some(saved);
        }
        place.gone().await;
        last = None;
    }
}

#[tokio::test]
async fn a_lease_keeps_a_state_for_as_long_as_it_lasts_and_gives_it_its_own_time_back() {
    let place = Place::with_leases(HOUR);
    place.manager(Some(MINUTE)).save_state(&key("alice"), 1_u32, None).await.unwrap();
    let own = place.expires();
    for _ in 0..3 {
        let (lease, record) = place.open().await;
        assert!(record.is_some());
        assert!(place.is_kept());
        assert!(place.expires() > own + millis(HOUR) / 2);
        for _ in 0..3 {
            sleep(Duration::from_millis(5)).await;
            place.backend.renew_lease(&lease).await.unwrap();
            assert!(place.is_kept());
        }
        place.backend.release_lease(&lease).await.unwrap();
        assert_eq!(place.expires(), own);
    }
}

#[tokio::test]
async fn a_state_that_outlives_the_lease_is_not_touched_by_it() {
    let place = Place::with_leases(MINUTE);
    for ttl in [Some(HOUR), None] {
        let (lease, _) = place.open().await;
        place.backend.delete_state(&lease).await.unwrap();
        place.backend.release_lease(&lease).await.unwrap();
        place.manager(ttl).save_state(&key("alice"), 1_u32, None).await.unwrap();
        let own = place.expires();
        let (lease, _) = place.open().await;
        place.backend.renew_lease(&lease).await.unwrap();
        assert_eq!(place.expires(), own);
        place.backend.release_lease(&lease).await.unwrap();
        assert_eq!(place.expires(), own);
    }
}

#[tokio::test]
async fn a_save_within_a_lease_is_kept_by_it_and_never_gets_the_time_of_the_one_before() {
    let place = Place::with_leases(HOUR);
    let lease = lease(&place.backend, &key("alice")).await;
    let first = write(None, MINUTE);
    place.backend.save_state(&lease, &first).await.unwrap();
    assert!(place.is_kept());
    place.backend.renew_lease(&lease).await.unwrap();
    assert!(place.is_kept());
    // It may live for as long as the lease could have lasted, but never shorter than it should.
    place.backend.release_lease(&lease).await.unwrap();
    assert!(place.expires() > now() + millis(MINUTE) / 2);

    // The time of the record before is not that of one that was saved over it.
    for (ttl, is_kept) in [(Some(HOUR * 2), false), (None, false), (Some(MINUTE), true)] {
        let (lease, record) = place.open().await;
        let next = write(record.map(|record| record.revision), MINUTE).with_ttl(ttl);
        place.backend.save_state(&lease, &next).await.unwrap();
        assert_eq!(place.is_kept(), is_kept, "{ttl:?}");
        let saved = place.expires();
        place.backend.release_lease(&lease).await.unwrap();
        assert_eq!(place.expires(), saved, "{ttl:?}");
    }
    let (lease, record) = place.open().await;
    let last = write(record.map(|record| record.revision), MINUTE);
    let begun = now();
    place.backend.save_and_release(&lease, &last).await.unwrap();
    let due = begun + millis(MINUTE)..=now() + millis(MINUTE);
    assert!(due.contains(&place.expires()), "{} is not in {due:?}", place.expires());
}

#[tokio::test]
async fn what_a_dead_holders_lease_kept_goes_when_that_runs_out() {
    let place = Place::with_leases(Duration::from_millis(500));
    let ttl = Duration::from_millis(300);
    place.manager(Some(ttl)).save_state(&key("alice"), "x".repeat(1 << 20), None).await.unwrap();
    let (_never_given_back, _) = place.open().await;
    place.gone().await;
    let (lease, record) = place.open().await;
    assert!(record.is_none());
    place.backend.save_and_release(&lease, &write(None, MINUTE)).await.unwrap();
    assert!(place.expires() > now());
}

#[tokio::test]
async fn an_expired_state_is_not_given_from_what_the_process_knows_of_it() {
    let place = Place::with_leases(MINUTE);
    let manager = place.manager(Some(HOUR));
    for length in [1, 20_000, 1 << 20] {
        manager.save_state(&key("alice"), "x".repeat(length), None).await.unwrap();
        let call = manager.begin::<String>(&key("alice")).await.unwrap();
        assert_eq!(call.state.len(), length);
        call.rollback().await;
        shared().run::<()>(&["PEXPIRE", &place.record(), "1"]);
        place.gone().await;
        assert!(manager.load_state::<String>(&key("alice")).await.unwrap().is_none());
        let call = manager.begin::<String>(&key("alice")).await.unwrap();
        assert_eq!(call.state, "");
        call.rollback().await;
    }
}

#[tokio::test]
async fn the_next_listing_takes_an_expired_state_out_of_the_index() {
    let place = Place::with_leases(MINUTE);
    let other = StateKey::new("alice", "other").unwrap();
    place.manager(None).save_state(&other, 1, None).await.unwrap();
    let ttl = Duration::from_millis(200);
    place.manager(Some(ttl)).save_state(&key("alice"), 1_u32, None).await.unwrap();
    place.gone().await;
    let index = format!("{}:index:alice", place.prefix);
    assert_eq!(place.backend.list_states("alice").await.unwrap(), [other]);
    assert_eq!(shared().run::<Vec<String>>(&["HKEYS", &index]), ["other"]);
}

#[tokio::test]
async fn a_time_that_another_program_gave_a_state_holds_until_the_next_save() {
    let place = Place::with_leases(HOUR);
    let manager = place.manager(None);
    let revision = manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
    shared().run::<()>(&["PEXPIRE", &place.record(), "60000"]);
    let theirs = place.expires();
    manager.begin::<u32>(&key("alice")).await.unwrap().rollback().await;
    assert_eq!(place.expires(), theirs);
    manager.save_state(&key("alice"), 2_u32, Some(revision)).await.unwrap();
    assert_eq!(place.expires(), -1);

    // What another program writes under a lease, or keeps for ever, does not expire with it.
    shared().run::<()>(&["PEXPIRE", &place.record(), "60000"]);
    let (lease, _) = place.open().await;
    assert!(place.is_kept());
    shared().run::<()>(&["PERSIST", &place.record()]);
    place.backend.release_lease(&lease).await.unwrap();
    assert_eq!(place.expires(), -1);
}

#[tokio::test]
async fn a_call_by_hand_whose_state_expired_between_its_load_and_its_save_gets_a_conflict() {
    let place = Place::with_leases(MINUTE);
    let manager = place.manager(Some(Duration::from_millis(200)));
    let revision = manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
    place.gone().await;
    let error = manager.save_state(&key("alice"), 2_u32, Some(revision)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 0, .. }), "{error}");
    assert_eq!(place.expires(), -2);
}

/// Who waited for a lease may have seen the time of a record that was saved over since.
#[tokio::test]
async fn a_state_that_was_saved_while_another_one_took_the_lease_over_keeps_its_new_time() {
    /// A lease is not given, but taken over, behind the look at it.
    const COMMANDS_OF_A_LOOK: usize = 6;
    let place = Place::with_leases(MINUTE);
    place.manager(Some(MINUTE * 5)).save_state(&key("alice"), 1_u32, None).await.unwrap();
    let (held, record) = place.open().await;

    let proxy = Proxy::to(shared().port());
    let other = RedisBackend::builder(&proxy.url()).prefix(&*place.prefix).lease_ttl(MINUTE);
    let other = other.connect().await.unwrap();
    proxy.cut(Cut::BeforeRequest, COMMANDS_OF_A_LOOK, true);
    let taking = {
        let other = other.clone();
        tokio::spawn(async move { other.acquire_and_load(&key("alice"), &Holder::current()).await })
    };
    while !proxy.has_cut() {
        sleep(Duration::from_millis(5)).await;
    }
    let next = write(record.map(|record| record.revision), HOUR);
    place.backend.save_and_release(&held, &next).await.unwrap();
    let saved = place.expires();
    assert!(proxy.mend());

    let Opened::Acquired { lease, record } = taking.await.unwrap().unwrap() else {
        panic!("held");
    };
    assert_eq!(record.unwrap().revision, next.record.revision);
    other.release_lease(&lease).await.unwrap();
    assert_eq!(place.expires(), saved);
}
