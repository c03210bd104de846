//! A disk that is full, or that can only be read.

use cogency_state::{Error, SpoolProblem};
use cogency_state_tests::switched::{Mode, Switched};

use crate::disk::Disk;
use crate::place::{enter, files, settled};

async fn on_a_disk(
    disk: &Disk,
    break_it: impl FnOnce(&Disk),
    mend_it: impl FnOnce(&Disk),
) -> (usize, Vec<u64>) {
    let server = Switched::default();
    let spool = disk.point.join("spool");
    let manager = cogency_state::StateManager::builder(server.clone()).spool_dir(&spool).build();
    enter(&manager, "alice", 1).await.unwrap();
    server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    break_it(disk);
    let error = enter(&manager, "alice", 3).await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    assert!(
        matches!(error, Error::NotSpooled { problem: SpoolProblem::Unusable(_), .. }),
        "{error}"
    );
    mend_it(disk);
    let pending = files(&spool);
    let pending = pending.iter().filter(|path| path.to_string_lossy().contains("/pending/"));
    let pending = pending.count();
    enter(&manager, "alice", 4).await.unwrap();
    server.switch(Mode::Up);
    settled(&manager).await;
    let stored = cogency_state::StateManager::new(server.direct());
    let key = crate::place::key("alice");
    let ledger = stored.load_state(&key).await.unwrap().unwrap().state;
    (pending, crate::place::numbers(&ledger))
}

#[tokio::test]
async fn a_disk_that_can_only_be_read_is_an_error_and_what_is_there_stays() {
    let disk = Disk::new(64);
    let (pending, stored) =
        on_a_disk(&disk, |disk| disk.remount("ro"), |disk| disk.remount("rw")).await;
    assert_eq!((pending, stored), (1, vec![1, 2, 4]));
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_what_is_there_stays() {
    let disk = Disk::new(16);
    let fill = |disk: &Disk| drop(disk.fill());
    let empty = |disk: &Disk| std::fs::remove_file(disk.point.join("filler")).unwrap();
    let (pending, stored) = on_a_disk(&disk, fill, empty).await;
    assert_eq!((pending, stored), (1, vec![1, 2, 4]));
}
