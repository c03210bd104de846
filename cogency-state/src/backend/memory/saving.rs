//! Saving: a compare-and-set, and what it leaves of the version before.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant as Moment;

use super::MemoryBackend;
use super::slots::Fenced;
use super::story::Story;
use crate::backend::off_thread::off_thread;
use crate::backend::{Lease, Write};
use crate::error::Error;
use crate::history::Retention;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, version_of};

/// States of at most so many bytes are kept whole: that costs less than finding the change.
const MAX_WHOLE_BYTES: usize = 4 << 10;
/// The change of a larger state is looked for where that holds nobody up.
const MAX_INLINE_BYTES: usize = 256 << 10;

/// What a save changes.
struct Change {
    of: Arc<Record>,
    content: Bytes,
}

impl MemoryBackend {
    pub(super) async fn save(
        &self,
        lease: &Lease,
        write: &Write,
        release: bool,
    ) -> Result<(), Error> {
        let change = self.change(lease.key(), &write.record.state).await;
        self.shared.lock().sweep();
        self.shared.fenced(lease, |mut fenced| {
            let found = fenced.revision();
            if !write.may_replace(found) {
                let (expected, found) = (version_of(write.expected), version_of(found));
                return Err(Error::conflict(lease.key(), &self.shared.location, expected, found));
            }
            let record = Arc::new(write.record.clone());
            // What an earlier try saved is noted.
            if found.is_none_or(|found| found.write_id != record.revision.write_id) {
                self.note_save(&mut fenced, write, &record, change);
            }
            let expires = write.ttl.and_then(|ttl| Moment::now().checked_add(ttl));
            fenced.replace(record, expires);
            if release {
                fenced.release();
            }
            Ok(())
        })
    }

    /// The change that a save of this state makes, if that is what is to be kept of it.
    async fn change(&self, key: &StateKey, state: &Bytes) -> Option<Change> {
        if state.len() <= MAX_WHOLE_BYTES || self.retention.is_none() {
            return None;
        }
        // Found without the lock: others need not wait for it.
        let (of, weight) = self.shared.lock().weighed(key)?;
        let content = if state.len() <= MAX_INLINE_BYTES {
            weight.change(&of.state, state)
        } else {
            let (of, state) = (Arc::clone(&of), state.clone());
            off_thread(move || weight.change(&of.state, &state)).await
        };
        Some(Change { of, content: content? })
    }

    fn note_save(
        &self,
        fenced: &mut Fenced<'_>,
        write: &Write,
        record: &Arc<Record>,
        change: Option<Change>,
    ) {
        let there = fenced.record().cloned();
        let fits = |change: &Change| there.is_some_and(|there| Arc::ptr_eq(&there, &change.of));
        let change = change.filter(fits).map(|change| change.content);
        self.note(fenced, |story, holder, retention| {
            story.save(holder, write.action, record, change);
            story.prune_behind(&record.key, retention);
        });
    }

    /// Notes something that the holder of the lease did, where a history is kept.
    pub(super) fn note(
        &self,
        fenced: &mut Fenced<'_>,
        note: impl FnOnce(&mut Story, &Holder, Retention),
    ) {
        if let Some(retention) = self.retention {
            fenced.note(|story, holder| note(story, holder, retention));
        }
    }
}
