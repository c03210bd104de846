//! One record after another under one key.

use crate::backend::{Lease, Write};
use crate::conformance::check::{Verdict, ensure};
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::record::{Record, Revision, WriteId};

pub(super) async fn an_absent_key_loads_none(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    trial.backend.holds_none(&key, "before the first save").await?;
    let lease = trial.backend.acquire(&key).await?;
    trial.backend.holds_none(&key, "under a lease, before the first save").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_saved_record_loads_equal(trial: &Trial<'_>) -> Verdict {
    let backend = &trial.backend;
    let full = backend.create(&trial.key()?, "Grüße, Welt").await?;
    backend.holds(&full, "after the first save").await?;

    // What a program that knows nothing of types, checksums or models would write.
    let bare_key = trial.key()?;
    let mut bare = sample::record_of(&bare_key, None, "null");
    bare.state_type = None;
    bare.checksum = None;
    bare.metadata.saved_at = None;
    bare.metadata.custom.clear();
    let lease = backend.acquire(&bare_key).await?;
    backend.save(&lease, &bare, None).await?;
    // A backend may make the checksum that is missing.
    let mut found = backend.load(&bare_key).await?;
    if let Some(found) = found.as_mut().filter(|found| found.is_intact()) {
        found.checksum = None;
    }
    let when = "after a save without state_type, checksum and saved_at";
    sample::same(found.as_ref(), Some(&bare), when)?;
    backend.release(&lease).await?;
    backend.holds(&full, "after a save under another key").await
}

pub(super) async fn a_save_replaces_the_record_it_was_made_from(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let mut last = trial.backend.create_under(&lease, "1").await?;
    for text in ["a longer text than before", "", "4"] {
        let next = sample::record(lease.key(), Some(&last), text);
        trial.backend.save(&lease, &next, Some(&last)).await?;
        let when = format!("after the save of version {}", next.revision.version);
        trial.backend.holds(&next, &when).await?;
        last = next;
    }
    trial.backend.release(&lease).await
}

pub(super) async fn a_stale_save_is_a_conflict(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = trial.backend.create_under(&lease, "first").await?;
    let second = sample::record(lease.key(), Some(&first), "second");
    trial.backend.save(&lease, &second, Some(&first)).await?;

    let stale = sample::record(lease.key(), Some(&first), "stale");
    let write = Write::new(stale, Some(first.revision));
    trial.backend.refuses(&lease, &write, Some(&second), "a save made from version 1 of 2").await?;

    let early = Revision { version: 7, write_id: WriteId::generate() };
    let write = Write::new(sample::record(lease.key(), None, "from the future"), Some(early));
    trial.backend.refuses(&lease, &write, Some(&second), "a save made from version 7 of 2").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_first_save_over_a_record_is_a_conflict(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = trial.backend.create_under(&lease, "first").await?;
    let write = Write::new(sample::record(lease.key(), None, "also the first"), None);
    trial.backend.refuses(&lease, &write, Some(&first), "a second first save").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_save_over_an_absent_record_is_a_conflict(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = trial.backend.create_under(&lease, "first").await?;
    trial.backend.delete(&lease).await?;
    let next = sample::record(lease.key(), Some(&first), "second");
    let write = Write::new(next, Some(first.revision));
    trial.backend.refuses(&lease, &write, None, "a save made from a deleted record").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_record_made_anew_is_not_the_one_before(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let before = trial.backend.create_under(&lease, "before").await?;
    trial.backend.delete(&lease).await?;
    let anew = trial.backend.create_under(&lease, "anew").await?;

    let next = sample::record(lease.key(), Some(&before), "second");
    let write = Write::new(next, Some(before.revision));
    let when = "a save made from version 1, which was deleted and made anew since";
    trial.backend.refuses(&lease, &write, Some(&anew), when).await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_repeated_save_succeeds_and_leaves_the_record(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = sample::record(lease.key(), None, "first");
    twice(trial, &lease, &Write::new(first.clone(), None)).await?;
    let second = sample::record(lease.key(), Some(&first), "second");
    twice(trial, &lease, &Write::new(second.clone(), Some(first.revision))).await?;

    // The answer may have been lost with the lease: the save is repeated under the next one.
    trial.backend.release(&lease).await?;
    let lease = trial.backend.acquire(lease.key()).await?;
    trial.backend.save(&lease, &second, Some(&first)).await?;
    trial.backend.holds(&second, "after the save was repeated under another lease").await?;
    trial.backend.release(&lease).await
}

async fn twice(trial: &Trial<'_>, lease: &Lease, write: &Write) -> Verdict {
    trial.backend.write(lease, write).await?;
    trial.backend.write(lease, write).await?;
    trial.backend.holds(&write.record, "after the save was repeated").await
}

pub(super) async fn a_repeated_save_does_not_undo_a_later_one(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = trial.backend.create_under(&lease, "first").await?;
    let second = sample::record(lease.key(), Some(&first), "second");
    trial.backend.save(&lease, &second, Some(&first)).await?;

    let again = Write::new(first, None);
    trial.backend.refuses(&lease, &again, Some(&second), "the first save, repeated late").await?;
    trial.backend.delete(&lease).await?;
    let again = Write::new(second, again.record.revision.into());
    trial.backend.refuses(&lease, &again, None, "a save repeated after a delete").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn revisions_are_exact_beyond_two_to_the_53(trial: &Trial<'_>) -> Verdict {
    // 2^53 + 1 is the first whole number that a double cannot hold, and i64::MAX the last that
    // SQL can.
    const ODD: u64 = (1 << 53) + 1;
    const LAST: u64 = i64::MAX as u64;
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let odd = numbered(&lease, ODD);
    trial.backend.save(&lease, &odd, None).await?;
    trial.backend.holds(&odd, "after a save of version 2^53 + 1").await?;

    let near = Revision { version: ODD - 1, ..odd.revision };
    let write = Write::new(numbered(&lease, ODD), Some(near));
    let when = "a save made from version 2^53, where 2^53 + 1 is";
    trial.backend.refuses(&lease, &write, Some(&odd), when).await?;
    let last = numbered(&lease, LAST);
    trial.backend.save(&lease, &last, Some(&odd)).await?;
    trial.backend.holds(&last, "after a save of version 2^63 - 1").await?;
    trial.backend.release(&lease).await
}

fn numbered(lease: &Lease, version: u64) -> Record {
    let mut record = sample::record(lease.key(), None, "numbered");
    record.revision.version = version;
    record
}

pub(super) async fn a_deleted_record_is_gone(trial: &Trial<'_>) -> Verdict {
    let backend = &trial.backend;
    let lease = backend.acquire(&trial.key()?).await?;
    ensure!(!backend.delete(&lease).await?, "delete_state before the first save says true");
    backend.create_under(&lease, "first").await?;
    ensure!(backend.delete(&lease).await?, "delete_state of a record says false");
    backend.holds_none(lease.key(), "after delete_state").await?;
    ensure!(!backend.delete(&lease).await?, "the second delete_state says true");

    let anew = backend.create_under(&lease, "anew").await?;
    backend.holds(&anew, "after delete_state and a first save").await?;
    backend.release(&lease).await
}
