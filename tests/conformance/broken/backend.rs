//! The contract, but for one mistake.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cogency_state::{
    Aside, AsideId, BlobBackend, Capabilities, Durability, Error, Event, HistoryBackend, Holder,
    KeyPage, Lease, LeaseAttempt, Metadata, Opened, Record, Revision, StateBackend, StateKey,
    Write,
};
use tokio::task::yield_now;

use super::{Broken, Inner};
use crate::fault::Fault;

#[async_trait]
impl StateBackend for Broken {
    fn location(&self) -> &str {
        if self.has(Fault::InstancesDisagree) && self.number == 1 {
            return "broken:another";
        }
        self.inner.location()
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = self.inner.capabilities().with_lease_ttl(self.ttl).with_history();
        match self.fault {
            Some(Fault::HidesItsBlobs) => {
                let mut capabilities = capabilities;
                capabilities.blobs = false;
                capabilities
            }
            Some(Fault::ClaimsToSurvive) => capabilities.with_durability(Durability::Restart),
            Some(Fault::HidesThatItListsAll) => {
                let mut capabilities = capabilities;
                capabilities.lists_all = false;
                capabilities
            }
            _ => capabilities,
        }
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        let of_user = if self.has(Fault::LocksWholeUsers) {
            let lock = StateKey::new(key.user_id(), "\u{1}lock").unwrap();
            match self.inner.acquire_lease(&lock, holder).await? {
                LeaseAttempt::Acquired(lease) => Some(lease),
                held => return Ok(held),
            }
        } else {
            None
        };
        let inner = match self.inner.acquire_lease(&self.place(key), holder).await? {
            LeaseAttempt::Acquired(lease) => {
                Inner { lease, of_user, since: Mutex::new(Instant::now()) }
            }
            held => {
                let forges = self.has(Fault::GivesHeldLeases)
                    || self.has(Fault::InstancesShareNoLeases) && self.number > 0;
                if !forges {
                    return Ok(held);
                }
                self.forged(key)
            }
        };
        let lease = self.wrap(key, inner);
        if self.has(Fault::DroppedAcquireLeaks) {
            self.notes().leaked.push(lease.clone());
            yield_now().await;
            self.notes().leaked.pop();
        }
        Ok(LeaseAttempt::Acquired(lease))
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        let inner = Self::inside(lease);
        if self.has(Fault::RenewDoesNothing) {
            return Ok(());
        }
        if self.has(Fault::RunningOutIsLosing) && self.has_run_out(lease) {
            return Err(Error::lease_lost(lease.key(), "broken:", lease.token()));
        }
        self.inner.renew_lease(&inner.lease).await?;
        *inner.since.lock().unwrap() = Instant::now();
        self.notes().renewed.insert((lease.key().clone(), lease.token()));
        Ok(())
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        let id = (lease.key().clone(), lease.token());
        let is_first = !self.notes().released.contains(&id);
        match self.fault {
            Some(Fault::ReleaseDoesNothing) => return Ok(()),
            Some(Fault::RefusesASecondRelease) if !is_first => {
                return Err(Error::lease_lost(lease.key(), "broken:", lease.token()));
            }
            Some(Fault::AnybodyReleases) => {
                return self.inner.release_lease(&self.forged(lease.key()).lease).await;
            }
            Some(Fault::DroppedReleaseForgets) if !is_first => return Ok(()),
            Some(Fault::RenewedLeasesOutliveTheirRelease) if self.notes().renewed.contains(&id) => {
                return Ok(());
            }
            _ => {}
        }
        let keeps =
            self.has(Fault::LeasesMakeImmortal) && self.left(lease.key()) == Some(Duration::ZERO);
        let kept = self.notes().latest.get(lease.key()).filter(|_| keeps).cloned();
        if let Some(record) = kept {
            self.force(lease.key(), record, None).await?;
        }
        self.notes().released.insert(id);
        if self.has(Fault::DroppedReleaseForgets) {
            yield_now().await;
        }
        self.release_inner(&Self::inside(lease)).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        match self.fault {
            Some(Fault::NeverAnswers) => std::future::pending().await,
            Some(Fault::Panics) => panic!("out of order"),
            Some(Fault::LoadsWaitForTheHolder) if self.is_held(key).await => {
                return Err(Error::backend(Some(key), "broken:", "load", "somebody holds it"));
            }
            Some(Fault::DroppedLoadBlocks) => {
                if !self.notes().busy.insert(key.clone()) {
                    return Err(Error::backend(Some(key), "broken:", "load", "busy"));
                }
                yield_now().await;
                self.notes().busy.remove(key);
            }
            _ => {}
        }
        let found = self.inner.load_state(&self.place(key)).await?;
        let mut notes = self.notes();
        notes.loads += 1;
        if notes.damaged.contains(key) {
            return match self.fault {
                Some(Fault::DamageLoadsAsNone) => Ok(None),
                _ => Err(Error::corrupt(key, "broken:", "it is damaged")),
            };
        }
        if let Some(shown) = notes.shown.get(key) {
            return Ok(Some(shown.clone()));
        }
        match self.fault {
            Some(Fault::LoadsAnEmptyRecordWhereNoneIs) if found.is_none() => Ok(Some(empty(key))),
            Some(Fault::LoadsAreStaleNowAndThen)
                if found.is_some() && notes.loads.is_multiple_of(7) =>
            {
                Ok(notes.before.get(key).cloned())
            }
            _ => Ok(found),
        }
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.save(lease, write).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        let key = lease.key();
        let inner = Self::inside(lease).lease.clone();
        match self.fault {
            Some(Fault::DamageCannotBeDeleted) if self.notes().damaged.contains(key) => {
                return Err(Error::corrupt(key, "broken:", "it is damaged"));
            }
            Some(Fault::DroppedDeleteTears) => {
                self.notes().shown.insert(key.clone(), empty(key));
                yield_now().await;
                self.notes().shown.remove(key);
            }
            Some(Fault::DeleteForgetsTokens) => {
                self.notes().forgotten.insert(key.clone(), inner.token());
            }
            _ => {}
        }
        let was_there = self.inner.delete_state(&inner).await?;
        if self.has(Fault::DeletesDropBlobs) {
            let ids = self.list_blobs(key).await?;
            self.remove_blobs(lease, &ids).await?;
        }
        self.notes().damaged.remove(key);
        if was_there && !self.has(Fault::ForgetsDeletes) {
            self.note(key, Event::Delete, None);
        }
        Ok(was_there || self.has(Fault::SecondDeleteSaysTrue))
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let listed = self.inner.list_states(user_id).await;
        let all = |keys: &BTreeSet<StateKey>, is_users: &dyn Fn(&str) -> bool| {
            Ok(keys.iter().filter(|key| is_users(key.user_id())).cloned().collect())
        };
        match self.fault {
            Some(Fault::ListsNothingForInvalidIds) => Ok(listed.unwrap_or_default()),
            Some(Fault::ListsOutOfOrder) => Ok(listed?.into_iter().rev().collect()),
            Some(Fault::ListsByPrefix) => {
                all(&self.notes().saved, &|owner| owner.starts_with(user_id))
            }
            Some(Fault::ListsExpiredKeys) => all(&self.notes().saved, &|owner| owner == user_id),
            Some(Fault::ListsLeasedKeys) => all(&self.notes().leased, &|owner| owner == user_id),
            Some(Fault::ListsEscapedIds) => Ok(listed?.iter().map(escaped).collect()),
            _ => listed,
        }
    }

    fn history(&self) -> Option<&dyn HistoryBackend> {
        if self.has(Fault::ClaimsAHistory) { None } else { Some(self) }
    }

    fn blobs(&self) -> Option<&dyn BlobBackend> {
        Some(self)
    }

    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let mut page = self.inner.list_all(after, limit).await?;
        match self.fault {
            Some(Fault::ListsOnePageOfAll) => page.next = None,
            Some(Fault::ListsLeasedKeysOfAll) => {
                page.keys.extend(self.notes().leased.iter().cloned());
            }
            _ => {}
        }
        Ok(page)
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        self.put_aside(lease, aside).await
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let is_meant = !self.has(Fault::ListsAllAsides);
        self.inner.list_aside(user_id.filter(|_| is_meant)).await
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        self.get_aside(key, id).await
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        self.put_back(lease, id).await
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        self.inner.drop_aside(key, id).await
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        let lease = match self.acquire_lease(key, holder).await? {
            LeaseAttempt::Acquired(lease) => lease,
            LeaseAttempt::Held(_) if self.has(Fault::OpensHeldKeys) => {
                self.wrap(key, self.forged(key))
            }
            LeaseAttempt::Held(holder) => return Ok(Opened::Held(holder)),
            other => panic!("{other:?}"),
        };
        match self.load_state(key).await {
            Ok(_) if self.has(Fault::OpensWithoutTheRecord) => {
                Ok(Opened::Acquired { lease, record: None })
            }
            Ok(None) if self.has(Fault::OpensExpiredRecords) => {
                let record = self.notes().latest.get(key).cloned();
                Ok(Opened::Acquired { lease, record })
            }
            Ok(record) => Ok(Opened::Acquired { lease, record }),
            Err(error) => {
                if self.has(Fault::FailedOpenKeepsTheLease) {
                    self.notes().leaked.push(lease);
                }
                Err(error)
            }
        }
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let result = self.save_state(lease, write).await;
        let releases = match self.fault {
            Some(Fault::SaveAndReleaseKeepsTheLease) => false,
            Some(Fault::ConflictReleases) => true,
            _ => result.is_ok(),
        };
        if releases {
            self.release_lease(lease).await?;
        }
        result
    }
}

fn empty(key: &StateKey) -> Record {
    Record::new(key.clone(), Revision::after(None), None, Metadata::now(), "null".into())
}

/// As a store shows a name that is a file's name.
fn escaped(key: &StateKey) -> StateKey {
    StateKey::new(key.user_id(), key.session_id().replace('/', "%2F")).unwrap()
}
