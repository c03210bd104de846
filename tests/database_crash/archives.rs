//! Power cuts under an archive whose states come from a database elsewhere.

use std::process::Command;
use std::time::Duration;

use cogency_state::archive::Archive;
use cogency_state::{DatabaseBackend, StateKey, StateManager};
use cogency_state_tests::database::SqliteFile;

use crate::agent::{Agent, PROGRAM};
use crate::disk::Disk;

const STATES: u64 = 15;
/// Of the first file: read, written, verified, sealed, removed, done.
const STEPS: usize = 6;

fn key(number: u64) -> StateKey {
    StateKey::new("alice", number.to_string()).unwrap()
}

async fn saved(file: &SqliteFile) -> StateManager {
    let manager = StateManager::new(DatabaseBackend::connect(&file.url()).await.unwrap());
    for number in 0..STATES {
        let mut call = manager.begin::<u64>(&key(number)).await.unwrap();
        call.state = number;
        call.commit().await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    manager
}

/// Each state is where it was, or in the archive, or both.
async fn assert_nothing_lost(manager: &StateManager, archive: &Archive, told: &str) {
    for number in 0..STATES {
        let live = manager.load_state::<u64>(&key(number)).await.unwrap();
        let archived = archive.find(&key(number)).await.unwrap();
        let archived = archived.map(|archived| archived.record.state);
        let is_archived = archived.is_some_and(|state| *state == *number.to_string().as_bytes());
        let is_live = live.is_some_and(|live| live.state == number);
        assert!(is_live || is_archived, "{told}: {number} is lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_04_a_power_cut_loses_nothing_that_an_archive_took() {
    let disk = Disk::new(64);
    for step in 1..=STEPS {
        let (file, told) = (SqliteFile::default(), format!("cut at step {step}"));
        let manager = saved(&file).await;
        let folder = disk.point.join(format!("{step}/of/archives"));
        let mut program = Command::new(PROGRAM);
        let mut agent = Agent::spawn(program.arg("archive").arg(file.url()).arg(&folder));
        assert_eq!(agent.line(), "ready");
        for number in 1..=step {
            assert!(agent.line().starts_with("step "), "{told}");
            if number < step {
                agent.go_on();
            }
        }
        disk.cut();
        agent.kill();
        disk.restart();
        let archive = Archive::in_folder(&folder).unwrap();
        assert_nothing_lost(&manager, &archive, &told).await;
        archive.states(&manager, Duration::ZERO).run().await.unwrap();
        assert_eq!(archive.verify().await.unwrap().archived, STATES, "{told}");
        assert_nothing_lost(&manager, &archive, &told).await;
    }
}
