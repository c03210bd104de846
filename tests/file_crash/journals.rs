//! Journals that a power cut tore, that somebody damaged, that were pruned or taken over.

use std::fs;
use std::path::Path;

use cogency_state::{
    Error, FileBackend, HistoryBackend, Moment, Retention, StateBackend, StateManager,
};
use cogency_state_tests::page::Page;
use serde_json::Value;

use crate::agent::{saved, start};
use crate::place::{Place, block_on, key, names_but_copy, number, turn};

/// Of some turns, each by a process of its own, so that nothing is known here.
fn turned(turns: u64) -> (Place, Vec<u8>) {
    let place = Place::new();
    let count = turns.to_string();
    start("count", &place.root, &[&count, "alice"]).succeed();
    let journal = fs::read(place.journal("alice")).unwrap();
    (place, journal)
}

/// Where the last line of a journal starts.
fn last_line(journal: &[u8]) -> usize {
    journal[..journal.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1
}

fn versions(place: &Place) -> Vec<u64> {
    block_on(async {
        let backend = FileBackend::new(&place.root);
        let verified = backend.verify_history(&key("alice")).await.unwrap();
        assert!(verified.is_current);
        let entries = backend.list_history(&key("alice"), None, 1000).await.unwrap();
        assert_eq!(verified.entries, entries.len() as u64);
        entries.iter().rev().map(|entry| entry.version).collect()
    })
}

#[test]
fn promise_04_a_torn_last_line_of_any_length_is_a_save_that_nobody_was_told_of() {
    let (place, journal) = turned(3);
    let starts = last_line(&journal);
    // As long as the copy is not newer.
    fs::remove_file(place.file("alice")).unwrap();
    // All around the ends of a line, and some of its middle.
    let is_tried = |length: &usize| {
        *length < starts + 100 || *length > journal.len() - 200 || length.is_multiple_of(31)
    };
    for length in (starts..journal.len()).filter(is_tried) {
        let mut zeros = journal.clone();
        zeros[length..].fill(0);
        for torn in [&journal[..length], &zeros] {
            fs::write(place.journal("alice"), torn).unwrap();
            block_on(async {
                let manager = place.manager();
                assert_eq!(number(&manager, "alice").await.unwrap(), 2, "at {length}");
                assert_eq!(fs::read(place.journal("alice")).unwrap(), torn, "a reader cut it off");
                assert_eq!(turn(&manager, "alice").await.unwrap(), 3, "at {length}");
            });
            let _ = fs::remove_file(place.file("alice"));
            if length.is_multiple_of(50) {
                assert_eq!(versions(&place), [1, 2, 3]);
            }
        }
    }
}

/// The torn line was to be longer than the one that takes its place.
#[test]
fn promise_04_nothing_of_a_torn_line_is_left_behind_the_next_one() {
    let (place, journal) = turned(3);
    let torn = [journal.as_slice(), b"{\"sequence\":4,", &vec![b'x'; 100_000]].concat();
    fs::write(place.journal("alice"), torn).unwrap();
    assert_eq!(block_on(async { turn(&place.manager(), "alice").await.unwrap() }), 4);
    let written = fs::read(place.journal("alice")).unwrap();
    assert!(written.starts_with(&journal) && written.ends_with(b"\"}\n"));
    assert_eq!(versions(&place), [1, 2, 3, 4]);
}

/// Sectors of a disk reach it in any order.
#[test]
fn promise_04_a_last_line_with_a_hole_of_zeros_is_torn_too() {
    let (place, journal) = turned(3);
    let starts = last_line(&journal);
    fs::remove_file(place.file("alice")).unwrap();
    let sectors: Vec<_> = (0..journal.len()).step_by(512).filter(|at| *at > starts).collect();
    assert!(sectors.len() > 2, "the last line is too short for this");
    for at in sectors {
        let mut holed = journal.clone();
        holed[at..(at + 512).min(journal.len())].fill(0);
        fs::write(place.journal("alice"), &holed).unwrap();
        block_on(async { assert_eq!(turn(&place.manager(), "alice").await.unwrap(), 3) });
        let _ = fs::remove_file(place.file("alice"));
        assert_eq!(versions(&place), [1, 2, 3]);
    }
}

#[test]
fn promise_10_a_line_that_was_cut_off_after_its_copy_was_made_is_damage() {
    let (place, journal) = turned(3);
    let copy = fs::read(place.file("alice")).unwrap();
    for length in (last_line(&journal) + 1..journal.len()).step_by(17) {
        fs::write(place.journal("alice"), &journal[..length]).unwrap();
        let error = block_on(async { turn(&place.manager(), "alice").await }).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "cut at {length}: {error}");
        assert_eq!(fs::read(place.journal("alice")).unwrap(), &journal[..length]);
    }
    assert_eq!(fs::read(place.file("alice")).unwrap(), copy);
}

#[test]
fn promise_10_a_new_beginning_after_a_delete_that_was_cut_off_is_damage_too() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        turn(&manager, "alice").await.unwrap();
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        turn(&manager, "alice").await.unwrap();
    });
    let journal = fs::read(place.journal("alice")).unwrap();
    let cut = &journal[..journal.len() - 20];
    fs::write(place.journal("alice"), cut).unwrap();
    let error = block_on(async { turn(&place.manager(), "alice").await }).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    // Without the copy nobody was told of it.
    fs::remove_file(place.file("alice")).unwrap();
    assert_eq!(block_on(async { turn(&place.manager(), "alice").await.unwrap() }), 1);
}

#[test]
fn promise_10_a_damaged_line_in_the_middle_is_told_and_versions_without_it_still_load() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        for text in ["first", "second", "third"] {
            let found = manager.load_state::<String>(&key("alice")).await.unwrap();
            let before = found.map(|found| found.revision);
            manager.save_state(&key("alice"), text.repeat(50), before).await.unwrap();
        }
        let journal = fs::read_to_string(place.journal("alice")).unwrap();
        let damaged = journal.replacen("second", "secand", 1);
        assert_ne!(damaged, journal);
        fs::write(place.journal("alice"), &damaged).unwrap();
        let history = manager.history(&key("alice"));
        let first = history.load::<String>(Moment::Version(1)).await.unwrap().unwrap();
        assert_eq!(first.state, "first".repeat(50));
        let broken = history.load::<String>(Moment::Version(2)).await.unwrap_err();
        assert!(matches!(broken, Error::HistoryBroken { sequence: 2, .. }), "{broken}");
        let broken = history.verify().await.unwrap_err();
        assert!(matches!(broken, Error::HistoryBroken { sequence: 2, .. }), "{broken}");
        let listed = history.list(None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|entry| entry.version).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(fs::read_to_string(place.journal("alice")).unwrap(), damaged);
    });
}

#[test]
fn a_line_of_a_newer_schema_is_refused_and_left() {
    let place = Place::new();
    block_on(async { turn(&place.manager(), "alice").await.unwrap() });
    let journal = fs::read_to_string(place.journal("alice")).unwrap();
    let newer = journal.replace("\"schema_version\":\"1.0\"", "\"schema_version\":\"2.0\"");
    let end = newer.len() - "0123456789abcdef\"}\n".len();
    let checksum = cogency_state::Checksum::of(&newer.as_bytes()[..end]);
    let newer = format!("{}{checksum}\"}}\n", &newer[..end]);
    fs::write(place.journal("alice"), &newer).unwrap();
    block_on(async {
        let error = turn(&place.manager(), "alice").await.unwrap_err();
        assert!(matches!(&error, Error::SchemaVersion { found, .. } if found == "2.0"), "{error}");
    });
    assert_eq!(fs::read_to_string(place.journal("alice")).unwrap(), newer);
}

#[test]
fn a_journal_is_cut_down_to_what_stays_and_its_chain_still_verifies() {
    let place = Place::new();
    let backend = FileBackend::new(&place.root).with_history(Retention::Versions(3));
    let manager = StateManager::new(backend.clone());
    let mut longest = 0;
    for _ in 0..100 {
        block_on(async { turn(&manager, "alice").await.unwrap() });
        longest = longest.max(fs::metadata(place.journal("alice")).unwrap().len());
    }
    println!("100 versions, of which 3 stay: at most {longest} bytes");
    block_on(async {
        let history = manager.history(&key("alice"));
        let verified = history.verify().await.unwrap();
        assert!(verified.pruned.is_some() && verified.entries < 60, "{verified:?}");
        for version in 98..=100 {
            let loaded = history.load::<Page>(Moment::Version(version)).await.unwrap().unwrap();
            assert_eq!(loaded.state, Page::of(version));
        }
        let gone = history.load::<Page>(Moment::Version(1)).await.unwrap_err();
        assert!(matches!(gone, Error::NoSuchVersion { .. }), "{gone}");
    });
    assert!(longest < 400_000, "{longest}");
    assert_eq!(names_but_copy(&place.folder("alice")), ["journal.jsonl", "lock"]);
}

/// Not only at the next keyframe, which may be far.
#[test]
fn a_journal_is_cut_down_with_the_save_behind_which_all_that_stays_has_one_keyframe() {
    const STAY: u64 = 20;
    const KEYFRAMES: u64 = 5;
    let place = Place::new();
    let backend = FileBackend::new(&place.root).with_history(Retention::Versions(STAY));
    let manager = StateManager::new(backend);
    let key = key("alice");
    let random = || (0..20_000).map(|_| fastrand::lowercase()).collect::<String>();
    block_on(async {
        for version in 1..KEYFRAMES + STAY {
            let mut call = manager.begin::<Vec<String>>(&key).await.unwrap();
            if version <= KEYFRAMES {
                call.state = vec![random()];
            } else {
                call.state.push(version.to_string());
            }
            call.commit().await.unwrap();
            let pruned = manager.history(&key).verify().await.unwrap().pruned;
            let is_last = version == KEYFRAMES + STAY - 1;
            assert_eq!(pruned.is_some(), is_last, "version {version}: {pruned:?}");
        }
        let pruned = manager.history(&key).verify().await.unwrap().pruned.unwrap();
        assert_eq!(pruned.sequence, KEYFRAMES - 1);
    });
}

#[test]
fn pruning_needs_no_lease_and_disturbs_no_call() {
    let place = Place::new();
    let manager = place.manager();
    let backend = FileBackend::new(&place.root);
    block_on(async {
        for _ in 0..20 {
            turn(&manager, "alice").await.unwrap();
        }
        let mut call = manager.begin::<Page>(&key("alice")).await.unwrap();
        let removed = backend.prune_history(&key("alice"), Retention::Versions(1)).await.unwrap();
        assert!(removed > 0);
        call.state.turn();
        call.commit().await.unwrap();
        assert_eq!(number(&manager, "alice").await.unwrap(), 21);
        assert!(manager.history(&key("alice")).verify().await.unwrap().is_current);
    });
}

#[test]
fn a_document_of_the_earlier_layout_is_taken_over_with_its_version() {
    for is_edited in [false, true] {
        let place = Place::new();
        let manager = place.manager();
        block_on(async {
            turn(&manager, "alice").await.unwrap();
            place.without_journal("alice").await;
            if is_edited {
                let text = fs::read_to_string(place.file("alice")).unwrap();
                let lines = text.lines().filter(|line| !line.contains("\"checksum\""));
                let edited = lines.collect::<Vec<_>>().join("\n");
                fs::write(place.file("alice"), edited).unwrap();
            }
            assert_eq!(number(&manager, "alice").await.unwrap(), 1);
            assert_eq!(turn(&manager, "alice").await.unwrap(), 2);
            let history = manager.history(&key("alice"));
            let first = history.load::<Page>(Moment::Version(1)).await.unwrap().unwrap();
            assert_eq!(first.state, Page::of(1));
            assert_eq!(history.verify().await.unwrap().entries, 2);
        });
        let copy: Value = serde_json::from_slice(&fs::read(place.file("alice")).unwrap()).unwrap();
        assert_eq!(copy["version"], 2);
        let mut names = names_but_copy(&place.folder("alice"));
        names.retain(|name| name != "lock");
        assert_eq!(names, ["journal.jsonl"], "nothing was taken for an edit");
    }
}

#[test]
fn what_one_process_remembers_is_what_another_left() {
    let place = Place::new();
    let manager = place.manager();
    for round in 0..10 {
        block_on(async {
            assert_eq!(turn(&manager, "alice").await.unwrap(), 2 * round + 1);
        });
        let said = start("turn", &place.root, &["alice"]).succeed();
        assert_eq!(saved(&said), [2 * round + 2]);
        block_on(async {
            assert_eq!(number(&manager, "alice").await.unwrap(), 2 * round + 2);
        });
    }
    assert_eq!(versions(&place), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_deleted_state_leaves_a_history_and_no_copy() {
    let place = Place::new();
    let backend = FileBackend::new(&place.root);
    let manager = StateManager::new(backend.clone());
    block_on(async {
        turn(&manager, "alice").await.unwrap();
        backend.write_copy(&key("alice")).await.unwrap();
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert!(!place.file("alice").exists());
        assert_eq!(manager.list_states("alice").await.unwrap(), []);
        assert_eq!(backend.list_all(None, 10).await.unwrap().keys, []);
        let first = manager.history(&key("alice")).load::<Page>(Moment::Version(1)).await.unwrap();
        assert_eq!(first.unwrap().state, Page::of(1));
        assert_eq!(backend.history_keys(None, 10).await.unwrap(), [key("alice")]);
        assert_eq!(turn(&manager, "alice").await.unwrap(), 1);
    });
    assert_eq!(versions(&place), [1, 1, 1]);
}

/// Whoever reads a journal with other tools finds in it what this test finds.
#[test]
fn a_journal_is_json_lines_that_a_person_can_read() {
    let (place, journal) = turned(2);
    let lines = String::from_utf8(journal).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["user_id"], &lines[0]["event"]), (&"alice".into(), &"save".into()));
    assert_eq!(lines[0]["state"]["number"], 1);
    assert_eq!((&lines[1]["version"], &lines[1]["record"]), (&2.into(), &true.into()));
    assert!(Path::new(&place.file("alice")).exists(), "a program that ends leaves a copy");
}

/// Each line says where it stands.
#[test]
fn promise_10_a_line_that_somebody_removed_or_doubled_is_damage() {
    let (place, journal) = turned(4);
    fs::remove_file(place.file("alice")).unwrap();
    let lines: Vec<_> = journal.split_inclusive(|byte| *byte == b'\n').collect();
    for changed in [lines[1..].concat(), [lines[0], &journal].concat()] {
        fs::write(place.journal("alice"), &changed).unwrap();
        let error = block_on(async { turn(&place.manager(), "alice").await }).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert_eq!(fs::read(place.journal("alice")).unwrap(), changed);
    }
}

/// A line that moves gets a new checksum: only if the old one was right.
#[test]
fn promise_10_a_compaction_does_not_make_damage_look_right() {
    let (place, journal) = turned(12);
    let text = String::from_utf8(journal).unwrap();
    // It stands in a text, as the change of the version before.
    let damaged = text.replacen(r#"\"number\":10,"#, r#"\"number\":70,"#, 1);
    assert!(damaged != text, "the tenth version is in the journal");
    fs::write(place.journal("alice"), &damaged).unwrap();
    let backend = FileBackend::new(&place.root);
    let pruned = block_on(backend.prune_history(&key("alice"), Retention::Versions(5)));
    assert!(matches!(pruned, Err(Error::Backend { .. })), "{pruned:?}");
    assert_eq!(fs::read_to_string(place.journal("alice")).unwrap(), damaged);
}
