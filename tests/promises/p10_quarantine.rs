//! 10. Nothing unreadable is overwritten: or it is set aside, intact, listed and restorable.

use std::time::Duration;

use cogency_state::{AsideReason, Error, OnUnreadable, StateManager, robust};

use crate::places::{Place, key, on_every_backend};

fn quarantining(place: &Place) -> StateManager {
    place.builder().on_unreadable(OnUnreadable::Quarantine).build()
}

#[robust(persist = manager, on_unreadable = quarantine)]
async fn count(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    fails: bool,
) -> Result<u32, Error> {
    *state += 1;
    if fails { Err(Error::NoRuntime) } else { Ok(*state) }
}

on_every_backend! {
    async fn a_state_of_another_type_is_set_aside_and_can_be_restored_over_the_new_one(place: Place) {
        let manager = place.manager();
        let first = manager.save_state(&key("alice"), vec!["hello".to_owned()], None).await.unwrap();
        assert!(count(&manager, "alice", true).await.is_err());
        assert!(manager.quarantined().await.unwrap().is_empty());
        assert!(matches!(manager.load_state::<u32>(&key("alice")).await, Err(Error::StateType { .. })));

        assert_eq!(count(&manager, "alice", false).await.unwrap(), 1);
        assert_eq!(count(&manager, "alice", false).await.unwrap(), 2);
        let aside = manager.quarantined().await.unwrap().remove(0);
        assert_eq!((aside.reason, aside.version), (AsideReason::StateType, Some(1)));

        let error = manager.restore_aside(&aside).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
        let error = manager.restore_aside_over(&aside, first).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { expected: 1, found: 3, .. }), "{error}");
        let loaded = manager.load_state::<u32>(&key("alice")).await.unwrap().unwrap();
        assert!(manager.restore_aside_over(&aside, loaded.revision).await.unwrap());
        let restored = place.manager().load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
        assert_eq!((restored.state, restored.revision), (vec!["hello".to_owned()], first));

        // What it replaced was set aside in turn.
        let replaced = manager.quarantined_of("alice").await.unwrap().remove(0);
        assert_eq!(replaced.reason, AsideReason::Replaced);
        assert_eq!(manager.load_aside::<u32>(&replaced).await.unwrap().unwrap().state, 2);
        assert!(manager.drop_aside(&replaced).await.unwrap());
        assert!(!manager.drop_aside(&replaced).await.unwrap());
        assert!(manager.quarantined().await.unwrap().is_empty());
    }

    async fn what_was_set_aside_does_not_expire(place: Place) {
        let ttl = Duration::from_secs(4);
        let expiring = place.builder().ttl(ttl).build();
        expiring.save_state(&key("alice"), vec!["hello".to_owned()], None).await.unwrap();
        let manager = quarantining(&place);
        let mut call = manager.begin::<u32>(&key("alice")).await.unwrap();
        call.state = 7;
        call.commit().await.unwrap();
        tokio::time::sleep(ttl + Duration::from_millis(500)).await;
        let aside = manager.quarantined().await.unwrap().remove(0);
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert!(manager.restore_aside(&aside).await.unwrap());
        let loaded = place.manager().load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state, ["hello"]);
    }
}

/// What stands there is set aside, and comes back byte for byte.
async fn set_aside_as_it_is(
    places: Vec<Place>,
    damage: impl Fn(String) -> String,
    reason: AsideReason,
) {
    for place in places {
        let manager = place.manager();
        assert_eq!(count(&manager, "alice", false).await.unwrap(), 1);
        let damaged = damage(place.document("alice"));
        place.put_document("alice", &damaged);
        assert!(count(&manager, "alice", true).await.is_err());
        assert_eq!(place.document("alice"), damaged);

        assert_eq!(count(&manager, "alice", false).await.unwrap(), 1);
        let aside = manager.quarantined().await.unwrap().remove(0);
        assert_eq!((aside.reason, &aside.key), (reason, &key("alice")));
        assert!(manager.load_aside::<u32>(&aside).await.is_err());
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert!(manager.list_states("alice").await.unwrap().is_empty());
        assert!(manager.restore_aside(&aside).await.unwrap());
        assert_eq!(place.document("alice"), damaged);
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
    }
}

#[tokio::test]
async fn a_corrupt_record_is_set_aside_as_it_is() {
    let torn = |text: String| text.get(..text.len() - 20).unwrap().to_owned();
    set_aside_as_it_is(Place::with_texts(), torn, AsideReason::Corrupt).await;
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_set_aside_as_it_is() {
    let newer = |text: String| {
        text.replace("\"schema_version\": \"1.0\"", "\"schema_version\": \"2.0\"")
            .replace("\"checksum\"", "\"new_checksum\"")
    };
    set_aside_as_it_is(Place::with_documents().into(), newer, AsideReason::SchemaVersion).await;
}
