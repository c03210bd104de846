//! What can go wrong with setting aside.

use std::sync::Arc;

use cogency_state::{Aside, AsideId, Error, Event, Lease, Record, StateBackend, StateKey};

use super::Broken;
use crate::fault::Fault;

impl Broken {
    pub(super) async fn put_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let key = lease.key();
        let is_damaged = self.notes().damaged.contains(key);
        if is_damaged && self.has(Fault::DamageCannotBeSetAside) {
            return Err(Error::corrupt(key, "broken:", "it is damaged"));
        }
        let there = self.inner.load_aside(key, aside.id).await?;
        if there.is_some() && self.has(Fault::RefusesRepeatedAsides) {
            return Ok(false);
        }
        let inner = match self.fault {
            Some(Fault::AnybodySetsAside) => Arc::new(self.forged(key)),
            _ => Self::inside(lease),
        };
        let record = self.inner.load_state(key).await?;
        let was_there = self.inner.set_aside(&inner.lease, aside).await?;
        if was_there && there.is_none() && !self.has(Fault::ForgetsAsides) {
            self.note(key, Event::Quarantine, None);
        }
        if was_there && is_damaged {
            let mut notes = self.notes();
            notes.damaged.remove(key);
            notes.damaged_asides.insert(aside.id);
        }
        if let Some(record) = record.filter(|_| self.has(Fault::AsidesStayUnderTheirKeys)) {
            self.force(key, record, None).await?;
        }
        Ok(was_there)
    }

    pub(super) async fn get_aside(
        &self,
        key: &StateKey,
        id: AsideId,
    ) -> Result<Option<Record>, Error> {
        if self.notes().damaged_asides.contains(&id) {
            return Err(Error::corrupt(key, "broken:", "it is damaged"));
        }
        let mut found = self.inner.load_aside(key, id).await?;
        if let Some(record) = found.as_mut().filter(|_| self.has(Fault::AsidesLoseCustomMetadata)) {
            record.metadata.custom.clear();
        }
        Ok(found)
    }

    pub(super) async fn put_back(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let inner = Self::inside(lease);
        if self.has(Fault::RestoresOverRecords) {
            self.inner.delete_state(&inner.lease).await?;
        }
        let restored = self.inner.restore_aside(&inner.lease, id).await?;
        if restored && !self.has(Fault::ForgetsAsides) {
            let record = self.inner.load_state(lease.key()).await?;
            self.note(lease.key(), Event::Restore, record);
        }
        let mut notes = self.notes();
        if restored && notes.damaged_asides.remove(&id) {
            notes.damaged.insert(lease.key().clone());
        }
        Ok(restored)
    }
}
