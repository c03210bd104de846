//! What must hold when a sequence is over, whatever it was.

use std::collections::BTreeSet;

use bytes::Bytes;
use cogency_state::{Aside, AsideReason, Record, Resolution, SpooledKind, StateBackend};
use cogency_state_tests::ledger::Entry;
use cogency_state_tests::switched::{Mode, flipped};

use super::notes::{Notes, in_order, read, v3};
use super::world::{Told, USERS, World};
use crate::place::{key, settled};

impl World {
    pub(super) async fn check(&mut self) {
        self.nothing_damaged_is_lost().await;
        self.place.server.switch(Mode::Up);
        for user in USERS {
            self.place.server.mend(&key(user)).await;
        }
        for manager in self.managers() {
            settled(manager).await;
        }
        for user in USERS {
            let kept = self.kept(user).await;
            for ((of, entry), told) in &self.told {
                let is_there = kept.contains(entry);
                let is_right = match told {
                    Told::Acknowledged => is_there,
                    Told::Failed => !is_there,
                    Told::Doubtful => true,
                };
                assert!(
                    *of != user || is_right,
                    "{user}: {entry:?} was {told:?}, kept: {is_there}\n{:#?}",
                    self.log
                );
            }
        }
        self.conflicts_can_be_decided().await;
    }

    /// What was damaged is under its key or listed, and in either case as it was found.
    async fn nothing_damaged_is_lost(&mut self) {
        for (user, bytes) in self.damaged.clone() {
            let stored = self.place.server.direct().load_state(&key(user)).await.unwrap();
            if stored.is_some_and(|record| record.state == bytes) {
                continue;
            }
            let is_listed = self.is_listed(user, &bytes).await;
            assert!(is_listed, "{user}: a damaged record is gone\n{:#?}", self.log);
            self.count("damage set aside");
        }
    }

    async fn is_listed(&self, user: &str, bytes: &Bytes) -> bool {
        for (aside, record) in self.asides(user).await {
            if aside.reason == AsideReason::Corrupt && record.state == *bytes {
                return true;
            }
        }
        false
    }

    async fn asides(&self, user: &str) -> Vec<(Aside, Record)> {
        let records = self.place.server.direct();
        let mut asides = Vec::new();
        for aside in records.list_aside(Some(user)).await.unwrap() {
            let record = records.load_aside(&aside.key, aside.id).await.unwrap().unwrap();
            asides.push((aside, record));
        }
        asides
    }

    /// All entries of a user, wherever they are kept.
    async fn kept(&mut self, user: &str) -> BTreeSet<Entry> {
        let mut kept = BTreeSet::new();
        if let Some(record) = self.place.server.direct().load_state(&key(user)).await.unwrap() {
            self.take(user, read(&record.state), &mut kept);
        }
        for (aside, record) in self.asides(user).await {
            let mended = if record.is_intact() { record } else { flipped(record) };
            self.take(user, read(&mended.state), &mut kept);
            self.count(if aside.reason == AsideReason::Llm { "LLM aside" } else { "other aside" });
        }
        let manager = self.managers().next().unwrap().clone();
        for entry in manager.spool().await.unwrap() {
            if entry.key.as_ref() != Some(&key(user)) {
                continue;
            }
            assert!(matches!(entry.kind, SpooledKind::Conflict { .. }), "{entry:?}");
            let mut loaded = manager.load_spooled::<v3::Notes>(&entry).await.unwrap().state;
            let steps = loaded.steps().to_vec();
            self.take(user, (steps, loaded.entries().clone()), &mut kept);
            self.count("conflict");
        }
        kept
    }

    /// One state: of one LLM, nothing in it twice, nothing migrated twice.
    fn take(&self, user: &str, state: (Vec<u32>, Vec<Entry>), kept: &mut BTreeSet<Entry>) {
        let (steps, entries) = state;
        assert!(in_order(&steps), "{user}: migrated by {steps:?}\n{:#?}", self.log);
        let once: BTreeSet<_> = entries.iter().collect();
        assert_eq!(once.len(), entries.len(), "{user}: twice: {entries:?}\n{:#?}", self.log);
        let llms: BTreeSet<_> = entries.iter().map(|entry| entry.agent).collect();
        assert!(llms.len() <= 1, "{user}: mixed: {entries:?}\n{:#?}", self.log);
        kept.extend(entries);
    }

    async fn conflicts_can_be_decided(&self) {
        let manager = self.managers().next().unwrap();
        for entry in manager.spool().await.unwrap().iter().rev() {
            manager.resolve(entry, Resolution::Theirs).await.unwrap();
        }
        assert!(manager.spool().await.unwrap().is_empty());
    }
}
