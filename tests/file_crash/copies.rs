//! `state.json`, the copy of a record for those who read files.

use std::fs;
use std::time::{Duration, Instant};

use cogency_state::{FileBackend, StateManager};
use cogency_state_tests::page::Page;
use serde_json::Value;

use crate::agent::start;
use crate::place::{Place, block_on, key, names, number, turn};

/// The version that the copy has; 0 where there is none.
fn copied(place: &Place) -> u64 {
    let Ok(copy) = fs::read(place.file("alice")) else { return 0 };
    let copy: Value = serde_json::from_slice(&copy).expect("a copy is whole at any moment");
    copy["version"].as_u64().unwrap()
}

#[test]
fn a_copy_is_current_within_a_second_of_the_last_save() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        for _ in 0..20 {
            turn(&manager, "alice").await.unwrap();
        }
        let since = Instant::now();
        while copied(&place) < 20 {
            assert!(since.elapsed() < Duration::from_secs(10), "it does not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("current after {:?}", since.elapsed());
    });
}

#[test]
fn a_program_that_ends_leaves_the_copy_current() {
    let place = Place::new();
    for calls in [1, 7] {
        let before = copied(&place);
        start("count", &place.root, &[&calls.to_string(), "alice"]).succeed();
        assert_eq!(copied(&place), before + calls);
    }
}

#[test]
fn a_copy_that_a_killed_program_left_behind_is_made_current_by_the_next_holder() {
    let place = Place::new();
    start("turn", &place.root, &["alice"]).succeed();
    let mut writer = start("write", &place.root, &["alice"]);
    writer.say(8);
    writer.kill();
    let version = block_on(async { number(&place.manager(), "alice").await.unwrap() });
    assert!(copied(&place) < version, "it was killed too late");
    // A call that saves nothing.
    block_on(async {
        place.manager().begin::<Page>(&key("alice")).await.unwrap().rollback().await;
    });
    assert_eq!(copied(&place), version);
}

#[test]
fn promise_10_a_copy_that_a_person_edited_is_kept_under_another_name_and_not_used() {
    let place = Place::new();
    let manager = place.manager();
    let edits: [fn(&str) -> String; 4] = [
        |text| text.replace("\"number\":1", "\"number\":9"),
        |text| text.lines().filter(|line| !line.contains("checksum")).collect(),
        |_| "not even JSON".to_owned(),
        |text| format!("{text}\n"),
    ];
    for (nth, edit) in (1..).zip(edits) {
        block_on(async { turn(&manager, "alice").await.unwrap() });
        let edited = edit(&fs::read_to_string(place.file("alice")).unwrap()) + "  ";
        fs::write(place.file("alice"), &edited).unwrap();
        block_on(async {
            assert_eq!(number(&manager, "alice").await.unwrap(), 2 * nth - 1);
            assert_eq!(turn(&manager, "alice").await.unwrap(), 2 * nth);
        });
        assert_eq!(copied(&place), 2 * nth);
        let names = names(&place.folder("alice"));
        let kept = names.iter().filter(|name| name.starts_with("state.edited-"));
        let kept: Vec<_> = kept.map(|name| place.folder("alice").join(name)).collect();
        assert_eq!(kept.len() as u64, nth, "{names:?}");
        assert!(kept.iter().any(|path| fs::read_to_string(path).unwrap() == edited));
    }
}

/// What the power cut left of it is no work of a person.
#[test]
fn a_copy_that_a_power_cut_emptied_is_written_anew() {
    let place = Place::new();
    let manager = place.manager();
    for left in [Vec::new(), vec![0; 700]] {
        block_on(async { turn(&manager, "alice").await.unwrap() });
        fs::write(place.file("alice"), left).unwrap();
        let last = block_on(async { turn(&manager, "alice").await.unwrap() });
        assert_eq!(copied(&place), last);
    }
    assert_eq!(names(&place.folder("alice")), ["journal.jsonl", "lock", "state.json"]);
}

#[test]
fn copies_of_many_processes_never_go_back() {
    let place = Place::new();
    let agents: Vec<_> = (0..3).map(|_| start("count", &place.root, &["100", "alice"])).collect();
    let (since, mut last) = (Instant::now(), 0);
    while last < 300 && since.elapsed() < Duration::from_secs(20) {
        let version = copied(&place);
        assert!(version >= last, "{version} after {last}");
        last = version;
    }
    for agent in agents {
        agent.succeed();
    }
    assert_eq!(copied(&place), 300);
}

#[test]
fn a_runtime_that_nobody_runs_does_not_keep_another_from_writing_the_copy() {
    let place = Place::new();
    let manager = StateManager::new(FileBackend::new(&place.root));
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    idle.block_on(async { turn(&manager, "alice").await.unwrap() });
    std::thread::sleep(Duration::from_secs(3));
    block_on(async { turn(&manager, "alice").await.unwrap() });
    assert_eq!(copied(&place), 2);
}
