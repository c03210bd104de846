//! Blobs, where they are kept: beside the records, under the same leases.

use bytes::Bytes;

use crate::backend::{BlobBackend, Durability, Lease};
use crate::blob::BlobId;
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::key::StateKey;

pub(super) async fn blobs_are_there_where_they_are_said_to_be(trial: &Trial<'_>) -> Verdict {
    let (said, is) = (trial.capabilities().blobs, trial.backend.blobs().is_some());
    ensure!(said == is, "Capabilities::blobs is {said}, but blobs() gives a place for them: {is}");
    Ok(())
}

pub(super) async fn a_saved_blob_loads_equal(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (key, other) = (trial.key()?, trial.key()?);
    let lease = trial.backend.acquire(&key).await?;
    trial.backend.create_under(&lease, "with blobs").await?;
    for bytes in [Vec::new(), vec![0], b"\xff\x00%{}\r\n".to_vec(), large()] {
        let bytes = Bytes::from(bytes);
        let id = BlobId::of(&bytes);
        none(&trial.backend, &key, id, "before it was saved").await?;
        save(&trial.backend, &lease, &bytes).await?;
        let due = Some(bytes);
        for backend in [&trial.backend, &trial.second().await] {
            let found = load(backend, &key, id).await?;
            ensure!(found == due, "a blob of {} bytes does not load equal", len(due.as_ref()));
        }
        none(&trial.backend, &other, id, "under another key").await?;
    }
    trial.backend.release(&lease).await
}

pub(super) async fn a_record_says_which_blobs_it_names(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (lease, both) = two_blobs(trial).await?;
    let found = trial.backend.load_state(lease.key()).await;
    let found = found.map_err(|error| Stop::unexpected("load_state", &error))?;
    let mut record = sample::record(lease.key(), found.as_ref(), "it names two");
    let named = both.map(|bytes| BlobId::of(&bytes)).to_vec();
    record.metadata.blob_ids = Some(named.clone());
    trial.backend.save(&lease, &record, found.as_ref()).await?;
    trial.backend.holds(&record, "naming two blobs").await?;
    trial.backend.release(&lease).await?;
    let Some(history) = trial.backend.history() else { return Ok(()) };
    let entries = history.list_history(lease.key(), None, 1).await;
    let entries = entries.map_err(|error| Stop::unexpected("list_history", &error))?;
    let told = entries.first().map(|entry| &entry.blob_ids);
    ensure!(told == Some(&named), "the entry of a save tells {told:?}, due are {named:?}");
    Ok(())
}

pub(super) async fn a_blob_is_stored_once(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (lease, [one, _]) = two_blobs(trial).await?;
    save(&trial.backend, &lease, &one).await?;
    let listed = list(&trial.backend, lease.key()).await?;
    ensure!(listed.len() == 2, "of two blobs, one saved twice, {} are listed", listed.len());
    holds(&trial.backend, lease.key(), &one, "after it was saved twice").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_removed_blob_is_gone_and_the_others_stay(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (lease, [one, other]) = two_blobs(trial).await?;
    let (id, never) = (BlobId::of(&one), BlobId::of(b"never saved"));
    remove(&trial.backend, &lease, &[id, never]).await?;
    remove(&trial.backend, &lease, &[id]).await?;
    none(&trial.second().await, lease.key(), id, "after it was removed").await?;
    let listed = list(&trial.backend, lease.key()).await?;
    ensure!(listed == [BlobId::of(&other)], "after one of two was removed {listed:?} are listed");
    holds(&trial.backend, lease.key(), &other, "after another was removed").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn only_who_holds_the_key_changes_blobs(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (old, [one, _]) = two_blobs(trial).await?;
    trial.backend.release(&old).await?;
    let lease = trial.backend.acquire(old.key()).await?;
    let fresh = Bytes::from_static(b"saved with an old lease");
    let saved = blobs(&trial.backend)?.save_blob(&old, BlobId::of(&fresh), &fresh).await;
    lost(saved, "save_blob")?;
    none(&trial.backend, old.key(), BlobId::of(&fresh), "after its save was refused").await?;
    let removed = blobs(&trial.backend)?.remove_blobs(&old, &[BlobId::of(&one)]).await;
    lost(removed, "remove_blobs")?;
    holds(&trial.backend, old.key(), &one, "after its removal was refused").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn blobs_stay_when_their_record_changes(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (lease, [one, _]) = two_blobs(trial).await?;
    trial.backend.delete(&lease).await?;
    holds(&trial.backend, lease.key(), &one, "after the record was deleted").await?;
    trial.backend.create_under(&lease, "anew").await?;
    holds(&trial.backend, lease.key(), &one, "after another was saved").await?;
    trial.backend.release(&lease).await?;
    holds(&trial.backend, lease.key(), &one, "after the lease was given back").await
}

pub(super) async fn blobs_survive_a_restart(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    if trial.capabilities().durability == Durability::Process {
        return Err(Stop::NotApplicable("its blobs live and die with the process"));
    }
    let (lease, [one, _]) = two_blobs(trial).await?;
    trial.backend.release(&lease).await?;
    let anew = Instance::new(trial.harness.restart().await);
    holds(&anew, lease.key(), &one, "after a restart").await
}

pub(super) async fn a_damaged_blob_is_refused(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let (lease, [one, other]) = two_blobs(trial).await?;
    let id = BlobId::of(&one);
    if !trial.harness.damage_blob(lease.key(), id).await {
        return Err(Stop::NotApplicable("the harness cannot damage a blob"));
    }
    match blobs(&trial.backend)?.load_blob(lease.key(), id).await {
        Err(Error::Corrupt { reason, .. }) => {
            ensure!(reason.contains(&id.to_string()), "Corrupt does not name the blob: {reason}");
        }
        Err(error) => fail!("a damaged blob failed to load with {error:?}, due is Corrupt"),
        Ok(None) => fail!("a damaged blob loads as none, due is Corrupt"),
        Ok(Some(_)) => fail!("a damaged blob loads, due is Corrupt"),
    }
    holds(&trial.backend, lease.key(), &other, "beside one that is damaged").await?;
    trial.backend.release(&lease).await
}

fn applies(trial: &Trial<'_>) -> Verdict {
    if trial.capabilities().blobs {
        return Ok(());
    }
    Err(Stop::NotApplicable("it keeps no blobs"))
}

/// More than goes inline anywhere, of every byte.
fn large() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(3 << 20).collect()
}

/// A key that is held, with a record and two blobs.
async fn two_blobs(trial: &Trial<'_>) -> Verdict<(Lease, [Bytes; 2])> {
    let both = [Bytes::from_static(b"one"), Bytes::from(large())];
    let lease = trial.backend.acquire(&trial.key()?).await?;
    trial.backend.create_under(&lease, "with two blobs").await?;
    for bytes in &both {
        save(&trial.backend, &lease, bytes).await?;
    }
    Ok((lease, both))
}

fn blobs(backend: &Instance) -> Verdict<&dyn BlobBackend> {
    backend.blobs().ok_or_else(|| Stop::failed("blobs() gives no place for them"))
}

async fn save(backend: &Instance, lease: &Lease, bytes: &Bytes) -> Verdict {
    let saved = blobs(backend)?.save_blob(lease, BlobId::of(bytes), bytes).await;
    saved.map_err(|error| Stop::unexpected("save_blob", &error))
}

async fn load(backend: &Instance, key: &StateKey, id: BlobId) -> Verdict<Option<Bytes>> {
    let loaded = blobs(backend)?.load_blob(key, id).await;
    loaded.map_err(|error| Stop::unexpected("load_blob", &error))
}

async fn list(backend: &Instance, key: &StateKey) -> Verdict<Vec<BlobId>> {
    let listed = blobs(backend)?.list_blobs(key).await;
    listed.map_err(|error| Stop::unexpected("list_blobs", &error))
}

async fn remove(backend: &Instance, lease: &Lease, ids: &[BlobId]) -> Verdict {
    let removed = blobs(backend)?.remove_blobs(lease, ids).await;
    removed.map_err(|error| Stop::unexpected("remove_blobs", &error))
}

/// Removes all that a key has.
pub(in crate::conformance) async fn clean_up(backend: &Instance, lease: &Lease) {
    if let (Ok(ids), Some(blobs)) = (list(backend, lease.key()).await, backend.blobs()) {
        // Whatever happens to one key, the others are cleaned up.
        let _ = blobs.remove_blobs(lease, &ids).await;
    }
}

async fn holds(backend: &Instance, key: &StateKey, bytes: &Bytes, when: &str) -> Verdict {
    let found = load(backend, key, BlobId::of(bytes)).await?;
    let due = Some(bytes);
    ensure!(found.as_ref() == due, "{when}: {} bytes load of {}", len(found.as_ref()), len(due));
    Ok(())
}

async fn none(backend: &Instance, key: &StateKey, id: BlobId, when: &str) -> Verdict {
    let found = load(backend, key, id).await?;
    ensure!(found.is_none(), "a blob is there {when}");
    Ok(())
}

fn len(bytes: Option<&Bytes>) -> usize {
    bytes.map_or(0, Bytes::len)
}

fn lost(result: Result<(), Error>, operation: &str) -> Verdict {
    match result {
        Err(Error::LeaseLost { .. }) => Ok(()),
        Err(error) => fail!("{operation} with an old lease failed with {error:?}"),
        Ok(()) => fail!("{operation} with an old lease succeeded, due is LeaseLost"),
    }
}
