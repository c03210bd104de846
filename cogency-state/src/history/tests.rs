//! Histories of states that change at random.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

const ORIGIN: Origin<'static> = Origin { at: 1_000_000, process: 7, host: "host" };

fn key() -> StateKey {
    StateKey::for_user("alice").unwrap()
}

/// A history as a backend keeps it.
#[derive(Default)]
struct Kept {
    entries: Vec<(Entry, HistoryHash)>,
    head: Option<Head>,
    records: Vec<Record>,
}

impl Kept {
    fn save(&mut self, state: String) {
        let before = self.records.last().cloned();
        let expected = before.as_ref().map(|record| record.revision);
        let revision = Revision::after(expected);
        let record = Record::new(key(), revision, None, Metadata::now(), state.into());
        let replaced = before.map(|record| record.state);
        let saved =
            Saved { event: Event::Save, record: &record, expected, replaced: replaced.as_ref() };
        let next = Next::save(self.head.as_ref(), &saved, ORIGIN);
        self.entries.push((next.entry, next.head.hash));
        self.head = Some(next.head);
        self.records.push(record);
    }

    /// What the rebuild of the version at a place begins with.
    fn since_keyframe(&self, at: usize) -> Vec<Entry> {
        let entries: Vec<_> = self.entries[..=at].iter().map(|(entry, _)| entry.clone()).collect();
        let keyframe = entries.iter().rposition(|entry| entry.kind == Kind::Keyframe).unwrap();
        entries[keyframe..].to_vec()
    }

    fn verify(&self) -> Result<(), Break> {
        let key = key();
        let mut audit = Audit::new(&key, Anchor::NONE);
        for (entry, hash) in &self.entries {
            audit.check(entry, *hash)?;
        }
        audit.finish(self.head.as_ref())
    }
}

/// A state that grows, is cut, or is another.
fn states() -> impl Strategy<Value = Vec<String>> {
    let step = (0..10u8, "[a-cß\u{1f916}]{0,40}");
    proptest::collection::vec(step, 1..60).prop_map(|steps| {
        let mut turns: VecDeque<String> = VecDeque::new();
        let state = |(count, (what, text)): (usize, (u8, String))| {
            match what {
                0 => turns.clear(),
                1 => drop(turns.pop_front()),
                2 => drop(turns.pop_back()),
                _ => turns.push_back(text),
            }
            serde_json::json!({ "count": count, "turns": turns, "z": what }).to_string()
        };
        steps.into_iter().enumerate().map(state).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn each_version_is_rebuilt_from_at_most_twice_its_size(states in states()) {
        let mut kept = Kept::default();
        for state in states {
            kept.save(state);
        }
        for (at, record) in kept.records.iter().enumerate() {
            let entries = kept.since_keyframe(at);
            let bytes: usize = entries.iter().map(|entry| entry.content.len()).sum();
            prop_assert!(bytes <= 2 * record.state.len(), "{bytes} for {}", record.state.len());
            let state = rebuild(&entries).unwrap().unwrap();
            prop_assert_eq!(&state, &record.state);
            let found = entries.last().unwrap().record(&key(), state).unwrap();
            prop_assert_eq!(&found, record);
        }
        prop_assert_eq!(kept.verify(), Ok(()));
    }
}

/// Else what was there at the time of the earlier one could not be asked for.
#[test]
fn each_entry_has_a_time_of_its_own_although_the_clock_stands_still() {
    let mut kept = Kept::default();
    for count in 0..3 {
        kept.save(format!("[{count}]"));
    }
    let times: Vec<_> = kept.entries.iter().map(|(entry, _)| entry.at).collect();
    assert_eq!(times, [ORIGIN.at, ORIGIN.at + 1, ORIGIN.at + 2]);
}

#[test]
fn a_version_is_rebuilt_from_at_most_256_entries() {
    let mut kept = Kept::default();
    for count in 0..600 {
        kept.save(format!("[{count:03},\"{}\"]", "word ".repeat(20_000)));
    }
    let keyframes = kept.entries.iter().filter(|(entry, _)| entry.kind == Kind::Keyframe);
    let places: Vec<_> = keyframes.map(|(entry, _)| entry.sequence).collect();
    assert_eq!(places, [1, 257, 513]);
}

#[test]
fn a_change_that_was_edited_or_that_is_missing_is_not_applied() {
    let mut kept = Kept::default();
    for count in 0..4 {
        kept.save(format!("[{count},\"{}\"]", "word ".repeat(100)));
    }
    let mut edited = kept.since_keyframe(2);
    let content = String::from_utf8(edited[2].content.to_vec()).unwrap();
    // The text of the change, which is in front.
    edited[2].content = content.replacen('2', "5", 1).into();
    assert_eq!(rebuild(&edited).unwrap_err().sequence, 3);
    let mut missing = kept.since_keyframe(3);
    missing.remove(1);
    assert_eq!(rebuild(&missing).unwrap_err().sequence, 2);
}

/// Frozen: whoever keeps a hash has to find it again.
#[test]
fn the_hash_of_an_entry_is_what_it_was() {
    let entry = Entry {
        sequence: 2,
        event: "save".to_owned(),
        version: 2,
        write_id: "b579a460-15b9-41ae-848c-ae8446d3633b".to_owned(),
        at: 1_769_860_800_000_001,
        process: 7,
        host: "host".to_owned(),
        actor: Some("\"ünal\"\n".to_owned()),
        phase: None,
        provider: Some("openai".to_owned()),
        model: Some("gpt".to_owned()),
        state_type: Some("chat::Chat".to_owned()),
        schema_version: Some("1.0".to_owned()),
        size: 3,
        checksum: Some("9f8ad30aa8c8aae6".to_owned()),
        metadata: Some("{}".to_owned()),
        kind: Kind::Keyframe,
        content: "[1]".into(),
    };
    let first = entry.hash(&key(), HistoryHash::ZERO);
    let canonical = concat!(
        r#"{"previous":"0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""user_id":"alice","session_id":"default","sequence":2,"event":"save","version":2,"#,
        r#""write_id":"b579a460-15b9-41ae-848c-ae8446d3633b","at":1769860800000001,"process":7,"#,
        r#""host":"host","actor":"\"ünal\"\n","phase":null,"provider":"openai","model":"gpt","#,
        r#""state_type":"chat::Chat","schema_version":"1.0","size":3,"#,
        r#""checksum":"9f8ad30aa8c8aae6","metadata":"{}","kind":"keyframe","#,
        r#""content":"080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22"}"#,
    );
    assert_eq!(first, HistoryHash::of(canonical.as_bytes()));
    assert_ne!(first, entry.hash(&key(), first));
}
