//! What cannot be read is kept until it is deleted.

use crate::backend::Write;
use crate::conformance::check::{Verdict, ensure, fail};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Record, Revision, WriteId};

pub(super) async fn an_unreadable_record_is_not_loaded(trial: &Trial<'_>) -> Verdict {
    let record = damaged(trial).await?;
    is_unreadable(&trial.backend, &record.key, "after it was damaged").await?;
    is_unreadable(&trial.second().await, &record.key, "through another instance").await?;
    let other = trial.backend.create(&trial.key()?, "not damaged").await?;
    trial.backend.holds(&other, "beside an unreadable record").await
}

/// Only who has not seen the record is looked at here: a save made from the very revision that
/// was damaged may replace it, for its writer had read it whole.
pub(super) async fn no_save_replaces_an_unreadable_record(trial: &Trial<'_>) -> Verdict {
    let record = damaged(trial).await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let stranger = Revision { version: 1, write_id: WriteId::generate() };
    for expected in [None, Some(stranger)] {
        let write = Write::new(sample::record(&record.key, None, "anew"), expected);
        match trial.backend.save_state(&lease, &write).await {
            Ok(()) => fail!("a save replaces an unreadable record"),
            Err(error @ Error::OutcomeUnknown { .. }) => {
                fail!("a save over an unreadable record fails with {error:?}")
            }
            Err(_) => {}
        }
        is_unreadable(&trial.backend, &record.key, "after a save was refused").await?;
    }
    trial.backend.delete(&lease).await?;
    trial.backend.release(&lease).await
}

pub(super) async fn an_unreadable_record_can_be_deleted(trial: &Trial<'_>) -> Verdict {
    let record = damaged(trial).await?;
    let lease = trial.backend.acquire(&record.key).await?;
    ensure!(
        trial.backend.delete(&lease).await?,
        "delete_state of an unreadable record says that there was none"
    );
    trial.backend.holds_none(&record.key, "after an unreadable record was deleted").await?;
    let anew = trial.backend.create_under(&lease, "anew").await?;
    trial.backend.holds(&anew, "after an unreadable record was deleted").await?;
    trial.backend.release(&lease).await
}

async fn damaged(trial: &Trial<'_>) -> Verdict<Record> {
    let record = trial.backend.create(&trial.key()?, "soon unreadable").await?;
    trial.damage(&record.key).await?;
    Ok(record)
}

async fn is_unreadable(backend: &Instance, key: &StateKey, when: &str) -> Verdict {
    match backend.load_state(key).await {
        Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }) => Ok(()),
        Err(error) => fail!("{when}: the load failed with {error:?}, due is Corrupt"),
        Ok(None) => fail!("{when}: an unreadable record loads as none"),
        Ok(Some(_)) => fail!("{when}: an unreadable record loads as if it were whole"),
    }
}
