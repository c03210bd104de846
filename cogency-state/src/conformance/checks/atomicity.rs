//! A reader sees whole records while saves go on.

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backend::Lease;
use crate::conformance::check::{Stop, Verdict, ensure};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::key::StateKey;
use crate::record::Record;

const SAVES: usize = 60;
const READERS: usize = 3;

/// One writer replaces a long record by a short one and the other way round, while readers load
/// through this instance and through another.
pub(super) async fn readers_see_whole_records(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = uniform(lease.key(), None, 0);
    trial.backend.save(&lease, &first, None).await?;

    let (done, writing) = watch::channel(());
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        let backend = if number % 2 == 0 { trial.backend.clone() } else { trial.second().await };
        readers.spawn(read(backend, lease.key().clone(), writing.clone()));
    }
    drop(writing);
    let last = write(&trial.backend, &lease, first).await?;
    drop(done);
    while let Some(joined) = readers.join_next().await {
        joined.map_err(|error| Stop::failed(format!("a reader {error}")))??;
    }
    trial.backend.holds(&last, "after the last save").await?;
    trial.backend.release(&lease).await
}

async fn write(backend: &Instance, lease: &Lease, mut last: Record) -> Verdict<Record> {
    for number in 1..=SAVES {
        let next = uniform(lease.key(), Some(&last), number);
        backend.save(lease, &next, Some(&last)).await?;
        last = next;
        backend.renew(lease).await?;
        tokio::task::yield_now().await;
    }
    Ok(last)
}

async fn read(backend: Instance, key: StateKey, writing: watch::Receiver<()>) -> Verdict {
    let mut newest = 0;
    // The channel closes when the writer is done.
    while writing.has_changed().is_ok() {
        let Some(found) = backend.load(&key).await? else {
            return Err(Stop::failed("a load during a save finds no record"));
        };
        is_whole(&found)?;
        let version = found.revision.version;
        ensure!(version >= newest, "a load finds version {version} after version {newest}");
        newest = version;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// A record whose state is one letter many times, its length and metadata made of its number.
fn uniform(key: &StateKey, replaces: Option<&Record>, number: usize) -> Record {
    let letter = letters().nth(number % 26).unwrap_or('a').to_string();
    let length = if number.is_multiple_of(2) { 200_000 + number } else { 10 + number };
    let mut record = sample::record_of(key, replaces, format!("\"{}\"", letter.repeat(length)));
    record.metadata.llm_model = letter.into();
    record.metadata.tools_count = length as u64;
    record
}

fn letters() -> impl Iterator<Item = char> {
    'a'..='z'
}

/// Fails unless the parts of a record were saved together.
fn is_whole(found: &Record) -> Verdict {
    let version = found.revision.version;
    ensure!(found.is_intact(), "version {version} was loaded with another version's checksum");
    let text = found.state.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let letter = found.metadata.llm_model.as_bytes();
    let uniform = text.is_some_and(|text| {
        text.len() as u64 == found.metadata.tools_count && text.chunks(1).all(|c| c == letter)
    });
    ensure!(uniform, "version {version} was loaded as a mixture of several");
    Ok(())
}
