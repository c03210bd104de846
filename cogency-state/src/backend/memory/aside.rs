//! What was set aside in memory.

use super::Shared;
use super::slots::Kept;
use crate::aside::{Aside, AsideId};
use crate::backend::Lease;
use crate::error::Error;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

impl Shared {
    pub(super) fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let mut slots = self.lock();
        let is_there = slots.asides.iter().any(|(there, _)| there.id == aside.id);
        let fenced = slots.fenced(lease.key(), lease.token());
        let mut fenced =
            fenced.ok_or_else(|| Error::lease_lost(lease.key(), &self.location, lease.token()))?;
        if is_there {
            return Ok(true);
        }
        let Some(record) = fenced.take() else { return Ok(false) };
        slots.asides.push((aside.clone(), record));
        Ok(true)
    }

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
        found.map(|(_, record)| record.clone())
    }

    pub(super) fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let mut slots = self.lock();
        let mut asides = std::mem::take(&mut slots.asides);
        let restored =
            self.restore(&mut asides, slots.fenced(lease.key(), lease.token()), lease, id);
        slots.asides = asides;
        restored
    }

    fn restore(
        &self,
        asides: &mut Vec<(Aside, Record)>,
        fenced: Option<super::slots::Fenced<'_>>,
        lease: &Lease,
        id: AsideId,
    ) -> Result<bool, Error> {
        let key = lease.key();
        let lost = || Error::lease_lost(key, &self.location, lease.token());
        let mut fenced = fenced.ok_or_else(lost)?;
        let at = asides.iter().position(|(aside, _)| aside.id == id && aside.key == *key);
        let Some(at) = at else { return Ok(false) };
        if let found @ Some(_) = fenced.revision() {
            return Err(Error::conflict(key, &self.location, 0, version_of(found)));
        }
        let (_, record) = asides.remove(at);
        fenced.replace(Kept { record, expires: None });
        Ok(true)
    }

    pub(super) fn drop_aside(&self, key: &StateKey, id: AsideId) -> bool {
        let mut slots = self.lock();
        let before = slots.asides.len();
        slots.asides.retain(|(aside, _)| aside.id != id || aside.key != *key);
        slots.asides.len() < before
    }
}
