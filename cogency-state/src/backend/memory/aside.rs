//! What was set aside in memory.

use std::sync::Arc;

use super::slots::Fenced;
use super::{MemoryBackend, Shared};
use crate::aside::{Aside, AsideId};
use crate::backend::{Action, Lease};
use crate::error::Error;
use crate::history::Event;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

impl MemoryBackend {
    pub(super) fn put_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let about = aside.to_json()?;
        let mut slots = self.shared.lock();
        let is_there = slots.asides.iter().any(|(there, _)| there.id == aside.id);
        let mut fenced = self.shared.held(slots.fenced(lease.key(), lease.token()), lease)?;
        if is_there {
            return Ok(true);
        }
        let Some(record) = fenced.take() else { return Ok(false) };
        self.note(&mut fenced, |story, holder, _| {
            story.gone(holder, &Event::Quarantine, aside.id.to_string(), Some(about));
        });
        slots.asides.push((aside.clone(), record));
        Ok(true)
    }

    pub(super) fn put_back(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let mut slots = self.shared.lock();
        let mut asides = std::mem::take(&mut slots.asides);
        let fenced = self.shared.held(slots.fenced(lease.key(), lease.token()), lease);
        let restored = fenced.and_then(|fenced| self.restore(&mut asides, fenced, lease, id));
        slots.asides = asides;
        restored
    }

    fn restore(
        &self,
        asides: &mut Vec<(Aside, Arc<Record>)>,
        mut fenced: Fenced<'_>,
        lease: &Lease,
        id: AsideId,
    ) -> Result<bool, Error> {
        let key = lease.key();
        let at = asides.iter().position(|(aside, _)| aside.id == id && aside.key == *key);
        let Some(at) = at else { return Ok(false) };
        if let found @ Some(_) = fenced.revision() {
            let location = &self.shared.location;
            return Err(Error::conflict(key, location, 0, version_of(found)));
        }
        let (_, record) = asides.remove(at);
        self.note(&mut fenced, |story, holder, _| {
            story.save(holder, Action::Restore, &record, None);
        });
        fenced.replace(record, None);
        Ok(true)
    }
}

impl Shared {
    pub(super) fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let user_id = user_id.map(|user_id| valid_id("user_id", user_id)).transpose()?;
        let slots = self.lock();
        let asides = slots.asides.iter().map(|(aside, _)| aside);
        let is_meant = |aside: &&Aside| user_id.is_none_or(|user| user == aside.key.user_id());
        Ok(asides.filter(is_meant).cloned().collect())
    }

    pub(super) fn load_aside(&self, key: &StateKey, id: AsideId) -> Option<Record> {
        let slots = self.lock();
        let found = slots.asides.iter().find(|(aside, _)| aside.id == id && aside.key == *key);
        found.map(|(_, record)| Record::clone(record))
    }

    pub(super) fn drop_aside(&self, key: &StateKey, id: AsideId) -> bool {
        let mut slots = self.lock();
        let before = slots.asides.len();
        slots.asides.retain(|(aside, _)| aside.id != id || aside.key != *key);
        slots.asides.len() < before
    }
}
