//! SQLite on disks that are full, or for reading only.

use std::time::Duration;

use cogency_state::{DatabaseBackend, Error, StateKey, StateManager};

use crate::disk::Disk;

fn key(user: &str) -> StateKey {
    StateKey::for_user(user).unwrap()
}

async fn manager(disk: &Disk) -> StateManager {
    let url = format!("sqlite:{}", disk.point.join("agents.db").display());
    let builder = DatabaseBackend::builder(&url).retry_for(Duration::from_millis(500));
    // Every state is read anew.
    StateManager::builder(builder.connect().await.unwrap()).warm_bytes(0).build()
}

/// All that an error says, through its sources, if it is one of the database's.
fn said(error: &Error) -> String {
    let Error::Backend { source, .. } = error else { panic!("{error:?}") };
    format!("{error} {source}")
}

async fn call(manager: &StateManager, user: &str, state: &str) -> Result<(), Error> {
    let mut call = manager.begin::<String>(&key(user)).await?;
    state.clone_into(&mut call.state);
    call.commit().await.map(drop)
}

async fn stored(manager: &StateManager, user: &str) -> Option<String> {
    let loaded = manager.load_state::<String>(&key(user)).await.unwrap();
    loaded.map(|loaded| loaded.state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_10_a_full_disk_is_a_clear_error_and_leaves_the_old_record_on_sqlite() {
    let disk = Disk::new(64);
    let manager = manager(&disk).await;
    call(&manager, "alice", "small").await.unwrap();
    let filler = disk.fill();
    let large = "x".repeat(4 << 20);
    let error = call(&manager, "alice", &large).await.unwrap_err();
    assert!(said(&error).contains("its disk is full"), "{error:?}");
    assert_eq!(stored(&manager, "alice").await.as_deref(), Some("small"));
    std::fs::remove_file(filler).unwrap();
    call(&manager, "alice", &large).await.unwrap();
    call(&manager, "bob", "small").await.unwrap();
    assert_eq!(stored(&manager, "alice").await, Some(large));
    assert_eq!(stored(&manager, "bob").await.as_deref(), Some("small"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_10_on_a_full_disk_a_first_connection_is_a_clear_error_and_works_later() {
    let disk = Disk::new(16);
    let filler = disk.fill();
    let url = format!("sqlite:{}", disk.point.join("deep/agents.db").display());
    let error = DatabaseBackend::connect(&url).await.unwrap_err();
    assert!(said(&error).contains("full") || said(&error).contains("No space"), "{error:?}");
    std::fs::remove_file(filler).unwrap();
    let manager = StateManager::connect(&url).await.unwrap();
    call(&manager, "alice", "small").await.unwrap();
}

/// Its log needs a disk that can be written to, also for reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_10_on_a_read_only_disk_everything_is_a_clear_error_and_nothing_changes_on_sqlite()
{
    let disk = Disk::new(16);
    let before = manager(&disk).await;
    call(&before, "alice", "1").await.unwrap();
    drop(before);
    // A file that is open for writing keeps a disk from being made read-only.
    disk.restart();
    disk.remount("ro");
    let url = format!("sqlite:{}", disk.point.join("agents.db").display());
    let reader = StateManager::new(DatabaseBackend::new(&url).unwrap());
    let error = reader.load_state::<String>(&key("alice")).await.unwrap_err();
    assert!(said(&error).contains("cannot be opened for writing"), "{error:?}");
    for user in ["alice", "bob"] {
        let error = call(&reader, user, "2").await.unwrap_err();
        assert!(said(&error).contains("cannot be opened for writing"), "{error:?}");
    }
    drop(reader);
    disk.restart();
    let manager = manager(&disk).await;
    assert_eq!(stored(&manager, "alice").await.as_deref(), Some("1"));
    call(&manager, "alice", "2").await.unwrap();
}
