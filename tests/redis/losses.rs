//! The connection is lost at each command of a call, in every way: the result is right, or an
//! error that is true; nothing happens twice.

use std::time::{Duration, Instant};

use cogency_state::{
    Error, Holder, Metadata, Opened, Record, RedisBackend, RedisBackendBuilder, Revision,
    StateBackend as _, StateKey, StateManager, Write, robust,
};
use cogency_state_tests::redis::{Cut, DELAY, Proxy, fresh_prefix, shared};

use crate::{impatient, key, lease};

/// No call has as many commands.
const MOST_COMMANDS: usize = 50;

/// Appends a number; the second element is as large as the test wants it.
#[robust(persist = manager)]
async fn append(
    state: &mut (Vec<u32>, String),
    manager: &StateManager,
    user_id: &str,
    padding: usize,
) -> Result<usize, Error> {
    let next = u32::try_from(state.0.len()).unwrap();
    state.0.push(next);
    state.1 = "x".repeat(padding);
    Ok(state.0.len())
}

/// One that gives up soon, where each state is in its history.
fn in_history(url: &str) -> RedisBackendBuilder {
    impatient(url).whole_up_to(0)
}

/// A way to the shared server that can be cut, and one that cannot.
struct Ways {
    proxy: Proxy,
    prefix: String,
    direct: StateManager,
}

impl Ways {
    fn new() -> Self {
        let prefix = fresh_prefix();
        let direct = RedisBackend::builder(&shared().url()).prefix(&*prefix).build().unwrap();
        Self { proxy: Proxy::to(shared().port()), prefix, direct: crate::strict(direct) }
    }

    fn backend(&self) -> RedisBackend {
        let builder = in_history(&self.proxy.url()).lease_ttl(Duration::from_secs(1));
        builder.prefix(&*self.prefix).build().unwrap()
    }

    /// The same, where small states are whole.
    fn whole(&self) -> RedisBackend {
        let builder = impatient(&self.proxy.url()).lease_ttl(Duration::from_secs(1));
        builder.prefix(&*self.prefix).build().unwrap()
    }

    /// What is stored; its history tells the same.
    async fn stored(&self, key: &StateKey) -> usize {
        let loaded = self.direct.load_state::<(Vec<u32>, String)>(key).await.unwrap();
        let history = self.direct.backend().history().unwrap();
        assert!(history.verify_history(key).await.unwrap().is_current);
        loaded.map_or(0, |loaded| {
            let numbers = loaded.state.0;
            assert!(numbers.iter().zip(0..).all(|(found, due)| *found == due), "{numbers:?}");
            numbers.len()
        })
    }
}

async fn a_call_survives_one_loss(padding: usize, open: impl Fn(&Ways) -> RedisBackend) {
    let ways = Ways::new();
    for cut in Cut::ALL {
        let user = format!("{cut:?}");
        let manager = crate::strict(open(&ways));
        let mut length = append(&manager, &user, padding).await.unwrap();
        for command in 0..MOST_COMMANDS {
            ways.proxy.cut(cut, command, false);
            let result = append(&manager, &user, padding).await;
            let was_cut = ways.proxy.mend();
            assert_eq!(result.unwrap(), length + 1, "{cut:?} at command {command}");
            length += 1;
            assert_eq!(ways.stored(&key(&user)).await, length, "{cut:?} at command {command}");
            if !was_cut {
                break;
            }
            assert!(command + 1 < MOST_COMMANDS);
        }
        // What was held back does nothing when it comes.
        tokio::time::sleep(DELAY).await;
        assert_eq!(ways.stored(&key(&user)).await, length, "{cut:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_connection_is_lost_at_any_command_counts_once() {
    a_call_survives_one_loss(10, Ways::whole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_a_large_state_whose_connection_is_lost_counts_once() {
    a_call_survives_one_loss(200_000, Ways::backend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_server_does_not_come_back_says_what_is_true() {
    let ways = Ways::new();
    for cut in Cut::ALL {
        let mut was_unknown = false;
        for command in 0..MOST_COMMANDS {
            // A key of its own: the lease of the call before may not have been given back.
            let user = format!("{cut:?} {command}");
            assert_eq!(append(&ways.direct, &user, 10).await.unwrap(), 1);
            let manager = crate::strict(ways.backend());
            manager.load_state::<(Vec<u32>, String)>(&key(&user)).await.unwrap();
            ways.proxy.cut(cut, command, true);
            let result = append(&manager, &user, 10).await;
            let was_cut = ways.proxy.mend();
            tokio::time::sleep(DELAY).await;
            let after = ways.stored(&key(&user)).await;
            let when = format!("{cut:?} at command {command}: {after}, {result:?}");
            match result {
                Ok(length) => assert_eq!((length, after), (2, 2), "{when}"),
                Err(Error::OutcomeUnknown { write_id, .. }) => {
                    was_unknown = true;
                    // It can be told from the record.
                    let record = ways.direct.backend().load_state(&key(&user)).await.unwrap();
                    let found = record.map(|record| record.revision.write_id);
                    assert_eq!(after == 2, found == write_id, "{when}");
                }
                Err(_) => assert_eq!(after, 1, "{when}"),
            }
            if !was_cut {
                break;
            }
            assert!(command + 1 < MOST_COMMANDS);
        }
        assert!(was_unknown, "{cut:?} at a save");
    }
}

/// Takes over a key, once it is free, and replaces what is stored.
async fn take_over(ways: &Ways, key: &StateKey) {
    let mut call = ways.direct.begin::<u32>(key).await.unwrap();
    call.state += 100;
    call.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_that_somebody_saved_over_before_it_could_be_looked_for_is_in_doubt() {
    let ways = Ways::new();
    // The server knows the script from here on.
    ways.direct.save_state(&key("bob"), 1_u32, None).await.unwrap();
    for cut in [Cut::BeforeRequest, Cut::BeforeReply] {
        let (alice, builder) = (key(&format!("{cut:?}")), in_history(&ways.proxy.url()));
        let builder = builder.prefix(&*ways.prefix).lease_ttl(Duration::from_millis(300));
        let backend = builder.retry_for(Duration::from_secs(10)).build().unwrap();
        let manager = crate::strict(backend);
        let mut call = manager.begin::<u32>(&alice).await.unwrap();
        call.state = 1;
        ways.proxy.cut(cut, 0, true);
        let committing = tokio::spawn(call.commit());
        take_over(&ways, &alice).await;
        assert!(ways.proxy.mend());
        let error = committing.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{cut:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_with_a_ttl_whose_connection_is_lost_counts_once_and_expires() {
    let ways = Ways::new();
    let hour = Duration::from_secs(60 * 60);
    for (cut, padding) in Cut::ALL.into_iter().flat_map(|cut| [(cut, 1), (cut, 200_000)]) {
        let user = format!("{cut:?} {padding}");
        let manager = crate::failing(ways.backend()).ttl(hour).build();
        append(&manager, &user, padding).await.unwrap();
        for length in 2..=6 {
            // Another command of the call each time.
            ways.proxy.cut(cut, length - 2, false);
            let appended = append(&manager, &user, padding).await.unwrap();
            let _ = ways.proxy.mend();
            assert_eq!(appended, length, "{user}");
        }
        tokio::time::sleep(DELAY).await;
        assert_eq!(ways.stored(&key(&user)).await, 6, "{user}");
        let name = format!("{}:state:{user}:default", ways.prefix);
        let left: u64 = shared().run(&["TTL", &name]);
        assert!((hour.as_secs() - 600..=hour.as_secs()).contains(&left), "{user}: {left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_that_expired_before_it_could_be_looked_for_is_in_doubt() {
    let ways = Ways::new();
    // The server knows the script from here on.
    ways.direct.save_state(&key("bob"), 1_u32, None).await.unwrap();
    for release in [true, false] {
        let (alice, builder) = (key(&format!("{release}")), in_history(&ways.proxy.url()));
        let builder = builder.prefix(&*ways.prefix).lease_ttl(Duration::from_millis(300));
        let backend = builder.retry_for(Duration::from_secs(10)).build().unwrap();
        ways.direct.save_state(&alice, 1_u32, None).await.unwrap();
        let held = lease(&backend, &alice).await;
        let found = backend.load_state(&alice).await.unwrap().unwrap().revision;
        let revision = Revision::after(Some(found));
        let record = Record::new(alice.clone(), revision, None, Metadata::now(), "2".into());
        let brief = Some(Duration::from_millis(100));
        let write = Write::new(record, Some(found)).with_ttl(brief);
        ways.proxy.cut(Cut::BeforeReply, 0, true);
        let saving = tokio::spawn(async move {
            if release {
                backend.save_and_release(&held, &write).await
            } else {
                backend.save_state(&held, &write).await
            }
        });
        let waited = Instant::now();
        while ways.direct.load_state::<u32>(&alice).await.unwrap().is_some() {
            assert!(waited.elapsed() < Duration::from_secs(10), "{alice} does not expire");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(ways.proxy.mend());
        let saved = saving.await.unwrap();
        assert!(matches!(saved, Err(Error::OutcomeUnknown { .. })), "{alice}: {saved:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_that_another_program_replaced_before_it_could_be_looked_for_is_in_doubt() {
    let (ways, alice) = (Ways::new(), key("alice"));
    // The server knows the script from here on.
    ways.direct.save_state(&key("bob"), 1_u32, None).await.unwrap();
    let builder = in_history(&ways.proxy.url()).prefix(&*ways.prefix);
    let backend = builder.retry_for(Duration::from_secs(10)).build().unwrap();
    let held = lease(&backend, &alice).await;
    let revision = Revision::after(None);
    let record = Record::new(alice.clone(), revision, None, Metadata::now(), "1".into());
    ways.proxy.cut(Cut::BeforeReply, 0, true);
    let saving =
        tokio::spawn(async move { backend.save_state(&held, &Write::new(record, None)).await });
    let begun = Instant::now();
    while ways.direct.load_state::<u32>(&alice).await.unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not saved");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let theirs = r#"{"schema_version":"1.0","state":2}"#;
    shared().run::<()>(&["SET", &format!("{}:state:alice:default", ways.prefix), theirs]);
    assert!(ways.proxy.mend());
    let saved = saving.await.unwrap();
    assert!(matches!(saved, Err(Error::OutcomeUnknown { .. })), "{saved:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_whose_key_was_taken_before_it_could_be_looked_for_is_in_doubt() {
    let ways = Ways::new();
    for cut in [Cut::BeforeRequest, Cut::BeforeReply] {
        let (alice, builder) = (key(&format!("{cut:?}")), in_history(&ways.proxy.url()));
        ways.direct.save_state(&alice, 1_u32, None).await.unwrap();
        let builder = builder.prefix(&*ways.prefix).lease_ttl(Duration::from_millis(300));
        let backend = builder.retry_for(Duration::from_secs(10)).build().unwrap();
        let held = lease(&backend, &alice).await;
        // Behind the look at the note.
        ways.proxy.cut(cut, 1, true);
        let deleting = tokio::spawn(async move { backend.delete_state(&held).await });
        take_over(&ways, &alice).await;
        assert!(ways.proxy.mend());
        let error = deleting.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { write_id: None, .. }), "{cut:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_whose_connection_is_lost_tells_what_it_did() {
    let ways = Ways::new();
    for cut in Cut::ALL {
        for command in 0..MOST_COMMANDS {
            let (backend, key) = (ways.backend(), key(&format!("{cut:?} {command}")));
            ways.direct.save_state(&key, 1_u32, None).await.unwrap();
            let held = lease(&backend, &key).await;
            ways.proxy.cut(cut, command, false);
            assert!(backend.delete_state(&held).await.unwrap(), "{cut:?} at command {command}");
            let was_cut = ways.proxy.mend();
            assert!(!backend.delete_state(&held).await.unwrap(), "{cut:?} at command {command}");
            // One that comes late does not delete what was made anew, and it stays in the list.
            backend.release_lease(&held).await.unwrap();
            ways.direct.save_state(&key, 2_u32, None).await.unwrap();
            if cut == Cut::Late {
                tokio::time::sleep(DELAY).await;
            }
            assert!(ways.direct.load_state::<u32>(&key).await.unwrap().is_some(), "{cut:?}");
            assert_eq!(ways.direct.list_states(key.user_id()).await.unwrap(), [key], "{cut:?}");
            if !was_cut {
                break;
            }
            assert!(command + 1 < MOST_COMMANDS);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_whose_connection_is_lost_is_taken_renewed_and_given_back_once() {
    let ways = Ways::new();
    for cut in Cut::ALL {
        let (backend, key) = (ways.backend(), key(&format!("{cut:?}")));
        backend.load_state(&key).await.unwrap();
        ways.proxy.cut(cut, 0, false);
        let opened = backend.acquire_and_load(&key, &Holder::current()).await.unwrap();
        let Opened::Acquired { lease, record: None } = opened else { panic!("{cut:?}: held") };
        assert!(ways.proxy.mend());
        ways.proxy.cut(cut, 0, false);
        backend.renew_lease(&lease).await.unwrap();
        assert!(ways.proxy.mend());
        ways.proxy.cut(cut, 0, false);
        backend.release_lease(&lease).await.unwrap();
        assert!(ways.proxy.mend());
        // A late attempt may take the lease once more, until it runs out; a late renewal may not.
        tokio::time::sleep(DELAY).await;
        let next = ways.direct.begin::<u32>(&key).await.unwrap();
        next.rollback().await;
        assert!(matches!(backend.renew_lease(&lease).await, Err(Error::LeaseLost { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_whose_connection_is_lost_is_right() {
    let ways = Ways::new();
    ways.direct.save_state(&key("alice"), 1_u32, None).await.unwrap();
    let backend = ways.backend();
    for cut in Cut::ALL {
        for command in 0..2 {
            backend.load_state(&key("alice")).await.unwrap();
            ways.proxy.cut(cut, command, false);
            assert_eq!(backend.list_states("alice").await.unwrap(), [key("alice")]);
            assert!(ways.proxy.mend());
        }
    }
}
