//! Leaving out what need not stay of a history.

use std::sync::Arc;

use super::journal::{JOURNAL, Journal, Standing};
use super::root::Root;
use super::saving::{now, origin};
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::history::{Anchor, Retention};
use crate::holder::Holder;
use crate::key::StateKey;

const PRUNE: &str = "prune the history of";

impl Root {
    /// Leaves out of a journal what need not stay, where that is worth it. The save counts anyway.
    pub(super) fn compact_if_due(
        &self,
        key: &StateKey,
        own: &Folder,
        journal: &Journal,
        standing: Standing,
    ) -> Standing {
        if !self.may_prune(&standing) {
            return standing;
        }
        match self.compact(key, own, journal, &standing) {
            Ok(compacted) => compacted,
            Err(error) => {
                tracing::warn!(%error, "a history was not pruned");
                self.known.remove(key);
                Standing { is_named: false, ..standing }
            }
        }
    }

    /// Whether more can go than before: with a new keyframe, now and then, and with the save that
    /// makes the newest keyframe and the changes behind it all that has to stay.
    fn may_prune(&self, standing: &Standing) -> bool {
        let changes = standing.head.weight.changes;
        match self.retention {
            Retention::All => false,
            Retention::Versions(versions) if changes > 0 => changes.saturating_add(1) == versions,
            _ => changes == 0 && standing.end >= standing.compact_at,
        }
    }

    fn compact(
        &self,
        key: &StateKey,
        own: &Folder,
        journal: &Journal,
        standing: &Standing,
    ) -> Result<Standing, Error> {
        let damaged =
            |damage: super::journal::Damage| damage.into_error(key, &self.location, PRUNE);
        let end = standing.end;
        let cut = journal.cut(self.retention, now()).map_err(damaged)?;
        let later = |compact_at| Standing { compact_at, ..standing.clone() };
        let Some(cut) = cut else { return Ok(later(end + end / 4)) };
        if let Err(at) = Journal::is_due(&cut, end) {
            return Ok(later(at));
        }
        let holder = Holder::current();
        let compacted = journal.compact(key, own, standing, &cut, origin(&holder));
        compacted.map_err(|error| self.not_changed(key, PRUNE, error))
    }

    pub(super) fn prune_history(
        self: &Arc<Self>,
        key: &StateKey,
        retention: Retention,
    ) -> Result<u64, Error> {
        let removed = self.prune(key, |journal| journal.cut(retention, now()))?;
        Ok(removed.unwrap_or(0))
    }

    /// Removes the entries up to this one. `false` if that cannot be.
    pub(super) fn prune_history_through(
        self: &Arc<Self>,
        key: &StateKey,
        last: Anchor,
    ) -> Result<bool, Error> {
        let mut is_gone = true;
        let removed = self.prune(key, |journal| {
            is_gone = journal.pruned()?.sequence >= last.sequence;
            if is_gone { Ok(None) } else { journal.cut_behind(last) }
        })?;
        Ok(is_gone || removed.is_some())
    }

    /// Prunes a journal where it says. `None` if nothing goes.
    fn prune(
        self: &Arc<Self>,
        key: &StateKey,
        cut: impl FnOnce(&Journal) -> Result<Option<super::journal::Cut>, super::journal::Damage>,
    ) -> Result<Option<u64>, Error> {
        let failed = |error| self.error(Some(key), PRUNE, error);
        let Some(folder) = self.folder_of(key).map_err(failed)? else { return Ok(None) };
        if folder.own.stat(JOURNAL).map_err(failed)?.is_none() {
            return Ok(None);
        }
        let Some(journal) = self.open_to_write(key, &folder.own).map_err(failed)? else {
            return Ok(None);
        };
        let standing = self.standing(key, &folder.own, &journal)?;
        let cut = cut(&journal).map_err(|damage| damage.into_error(key, &self.location, PRUNE))?;
        let Some(cut) = cut else { return Ok(None) };
        let holder = Holder::current();
        let pruned = journal.compact(key, &folder.own, &standing, &cut, origin(&holder));
        let pruned = pruned.map_err(|error| self.not_changed(key, PRUNE, error))?;
        self.known.put(key, &pruned);
        Ok(Some(cut.anchor.sequence.saturating_sub(cut.before.sequence)))
    }
}
