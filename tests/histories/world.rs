//! A backend and what is known of its keys, step by step.

use std::sync::Arc;

use cogency_state::{
    Aside, AsideReason, Error, Event, HistoryAnchor, HistoryBackend, Holder, Lease, Metadata,
    Moment, Opened, Record, Retention, Revision, StateBackend, StateKey, StateManager,
    StateManagerBuilder, Write,
};
use proptest::sample::Index;

use crate::known::Known;
use crate::place::Place;
use crate::step::{Act, Crash, Edit, KEYS, Pick, Step};

pub(crate) struct World<'p> {
    place: &'p dyn Place,
    backend: Arc<dyn StateBackend>,
    manager: StateManager,
    /// What saves leave of each history.
    stays: Retention,
    keys: Vec<StateKey>,
    known: Vec<Known>,
    asides: Vec<(usize, Aside, Record)>,
}

impl<'p> World<'p> {
    pub(crate) fn new(place: &'p dyn Place, stays: Retention, user: &str) -> Self {
        let keys = (0..KEYS).map(|key| StateKey::new(user, key.to_string()).unwrap()).collect();
        let known = (0..KEYS).map(|_| Known::default()).collect();
        let (backend, manager) = open(place);
        Self { place, backend, manager, stays, keys, known, asides: Vec::new() }
    }

    pub(crate) async fn step(&mut self, step: &Step) {
        let key = step.key;
        match &step.act {
            Act::Save { edit, with_replaced } => self.save(key, edit, *with_replaced).await,
            Act::Repeat => self.repeat(key).await,
            Act::Stale => self.stale(key).await,
            Act::Delete => self.delete(key).await,
            Act::SetAside => self.set_aside(key).await,
            Act::PutBack(nth) => self.put_back(nth).await,
            Act::Prune(stays) => self.prune(key, *stays).await,
            Act::PruneThrough(nth) => self.prune_through(key, nth).await,
            Act::Restore(pick) => self.restore(key, pick).await,
            Act::Fork(pick, to) => self.fork(key, pick, *to).await,
            Act::Load(pick) => self.load(key, self.known[key].moment(pick)).await,
            Act::Crash(crash) => self.crash(key, crash),
        }
        for key in 0..KEYS {
            self.look(key).await;
        }
    }

    /// Whatever is there comes back.
    pub(crate) async fn check(&self) {
        for key in 0..KEYS {
            let verified = self.history().verify_history(&self.keys[key]).await.unwrap();
            let listed = &self.known[key].listed;
            assert!(verified.is_current, "the history is not that of the state");
            assert_eq!(verified.entries, listed.len() as u64);
            assert_eq!(verified.hash, listed.last().map(|entry| entry.hash));
            assert_eq!(verified.pruned.map_or(0, |last| last.sequence), self.known[key].removed());
            for entry in listed {
                self.load(key, Moment::Entry(entry.sequence)).await;
                self.load(key, Moment::Version(entry.version)).await;
                self.load(key, Moment::Time(entry.at)).await;
            }
        }
    }

    /// The next process finds what was acknowledged.
    fn crash(&mut self, key: usize, crash: &Crash) {
        self.place.crash(&self.keys[key], crash);
        (self.backend, self.manager) = open(self.place);
    }

    fn history(&self) -> &dyn HistoryBackend {
        self.backend.history().unwrap()
    }

    /// What the backend tells has to be what is known.
    async fn look(&mut self, key: usize) {
        let (mut listed, mut before) = (Vec::new(), None);
        loop {
            let page = self.history().list_history(&self.keys[key], before, 7).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.sequence);
            listed.extend(page);
        }
        listed.reverse();
        self.known[key].prune(self.stays);
        self.known[key].listed(listed);
        let found = self.backend.load_state(&self.keys[key]).await.unwrap();
        assert_eq!(found, self.known[key].record, "the state is not the one that was saved");
    }

    async fn open(&self, key: usize) -> (Lease, Option<Record>) {
        let opened = self.backend.acquire_and_load(&self.keys[key], &Holder::current()).await;
        match opened.unwrap() {
            Opened::Acquired { lease, record } => (lease, record),
            other => panic!("{other:?}"),
        }
    }

    async fn save(&mut self, key: usize, edit: &Edit, with_replaced: bool) {
        let (lease, found) = self.open(key).await;
        let before = found.as_ref().map(|found| std::str::from_utf8(&found.state).unwrap());
        let expected = found.as_ref().map(|found| found.revision);
        let state = edit.apply(before).into();
        let metadata = Metadata::now();
        let revision = Revision::after(expected);
        let record = Record::new(self.keys[key].clone(), revision, None, metadata, state);
        let replaced = found.map(|found| found.state).filter(|_| with_replaced);
        let write = Write::new(record.clone(), expected).with_replaced(replaced);
        self.backend.save_and_release(&lease, &write).await.unwrap();
        self.known[key].saved(Event::Save, record);
        self.known[key].last_write = Some(write);
    }

    /// It changes nothing where it is the newest, or is refused.
    async fn repeat(&mut self, key: usize) {
        let Some(write) = self.known[key].last_write.clone() else { return };
        let (lease, found) = self.open(key).await;
        let saved = self.backend.save_state(&lease, &write).await;
        let found = found.map(|found| found.revision);
        assert_eq!(saved.is_ok(), write.may_replace(found), "{saved:?}");
        // What was gone, and had replaced nothing, is saved anew.
        if saved.is_ok() && found != Some(write.record.revision) {
            self.known[key].saved(Event::Save, write.record);
        }
        self.backend.release_lease(&lease).await.unwrap();
    }

    async fn stale(&mut self, key: usize) {
        let (lease, _) = self.open(key).await;
        let expected = Some(Revision::after(None));
        let revision = Revision::after(expected);
        let (key, state) = (self.keys[key].clone(), "0".into());
        let record = Record::new(key, revision, None, Metadata::now(), state);
        let refused = self.backend.save_state(&lease, &Write::new(record, expected)).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        self.backend.release_lease(&lease).await.unwrap();
    }

    async fn delete(&mut self, key: usize) {
        let (lease, found) = self.open(key).await;
        assert_eq!(self.backend.delete_state(&lease).await.unwrap(), found.is_some());
        if found.is_some() {
            self.known[key].gone(Event::Delete);
        }
        self.backend.release_lease(&lease).await.unwrap();
    }

    async fn set_aside(&mut self, key: usize) {
        let (lease, found) = self.open(key).await;
        let aside = Aside::new(self.keys[key].clone(), AsideReason::Llm);
        assert_eq!(self.backend.set_aside(&lease, &aside).await.unwrap(), found.is_some());
        if let Some(record) = found {
            assert!(self.backend.set_aside(&lease, &aside).await.unwrap());
            self.known[key].gone(Event::Quarantine);
            self.asides.push((key, aside, record));
        }
        self.backend.release_lease(&lease).await.unwrap();
    }

    async fn put_back(&mut self, nth: &Index) {
        if self.asides.is_empty() {
            return;
        }
        let at = nth.index(self.asides.len());
        let (key, aside) = (self.asides[at].0, self.asides[at].1.clone());
        let (lease, found) = self.open(key).await;
        let restored = self.backend.restore_aside(&lease, aside.id).await;
        if found.is_some() {
            assert!(matches!(restored, Err(Error::Conflict { .. })), "{restored:?}");
        } else {
            assert!(restored.unwrap());
            let (_, _, record) = self.asides.remove(at);
            self.known[key].saved(Event::Restore, record);
        }
        self.backend.release_lease(&lease).await.unwrap();
    }

    async fn prune(&mut self, key: usize, stays: Retention) {
        let before = self.known[key].removed();
        self.known[key].prune(stays);
        let removed = self.history().prune_history(&self.keys[key], stays).await.unwrap();
        self.look(key).await;
        assert_eq!(self.known[key].removed() - before, removed);
    }

    async fn prune_through(&mut self, key: usize, nth: &Index) {
        let listed = &self.known[key].listed;
        if listed.is_empty() {
            return;
        }
        let at = nth.index(listed.len());
        let last = HistoryAnchor { sequence: listed[at].sequence, hash: listed[at].hash };
        let done = self.history().prune_history_through(&self.keys[key], last).await.unwrap();
        if done {
            let events = listed.iter().skip(at + 1).filter(|entry| entry.event != Event::Prune);
            let stay = events.count();
            self.known[key].due = self.known[key].events.len() - stay;
            self.look(key).await;
            assert_eq!(self.known[key].removed(), last.sequence);
        }
    }

    async fn restore(&mut self, key: usize, pick: &Pick) {
        let moment = self.known[key].moment(pick);
        let restored = self.manager.history(&self.keys[key]).restore(moment).await;
        let Some(due) = self.known[key].at(moment).ok().flatten().cloned() else {
            assert!(matches!(restored, Err(Error::NoSuchVersion { .. })), "{restored:?}");
            return;
        };
        self.is_copy(key, Event::Restore, &due, restored.unwrap()).await;
    }

    async fn fork(&mut self, key: usize, pick: &Pick, to: usize) {
        let moment = self.known[key].moment(pick);
        let forked = self.manager.history(&self.keys[key]).fork(moment, &self.keys[to]).await;
        let Some(due) = self.known[key].at(moment).ok().flatten().cloned() else {
            assert!(matches!(forked, Err(Error::NoSuchVersion { .. })), "{forked:?}");
            return;
        };
        if self.known[to].record.is_some() {
            assert!(matches!(forked, Err(Error::Conflict { .. })), "{forked:?}");
            return;
        }
        self.is_copy(to, Event::Fork, &due, forked.unwrap()).await;
    }

    /// That a key has a copy of a record now, saved by this event.
    async fn is_copy(&mut self, key: usize, event: Event, due: &Record, revision: Revision) {
        let found = self.backend.load_state(&self.keys[key]).await.unwrap().unwrap();
        assert_eq!((&found.state, found.revision), (&due.state, revision));
        self.known[key].saved(event, found);
    }

    async fn load(&self, key: usize, moment: Moment) {
        let loaded = self.history().load_history(&self.keys[key], moment).await;
        match self.known[key].at(moment) {
            Ok(due) => assert_eq!(loaded.unwrap().as_ref(), due, "{moment}"),
            Err(()) => {
                assert!(matches!(loaded, Err(Error::NoSuchVersion { .. })), "{moment}: {loaded:?}");
            }
        }
    }
}

fn open(place: &dyn Place) -> (Arc<dyn StateBackend>, StateManager) {
    let backend = place.open();
    (backend.clone(), StateManagerBuilder::over(backend).build())
}
