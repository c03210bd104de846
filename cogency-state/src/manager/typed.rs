//! Between records and typed states, off the runtime's threads where it takes long.

use std::borrow::Cow;
use std::panic::resume_unwind;

use bytes::Bytes;

use super::StateManager;
use super::versions::{self, Current, Versions};
use super::warm::Warm;
use crate::backend::Write;
use crate::blob::{Blob, MAX_BLOB_BYTES, reading};
use crate::codec::{AnyState, Codec, Encoded, NotEncoded, Problem, Read, Untyped};
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Checksum, Metadata, Record, Revision};

/// A larger state is read and written on a thread that may block: a quarter of a millisecond is
/// as long as a worker thread should be kept.
const MAX_INLINE_BYTES: usize = 256 << 10;

/// A save that is ready to go, but for its metadata.
pub(crate) struct Prepared {
    pub(crate) write: Box<Write>,
    /// The version of the state's type, to be written down with it.
    pub(crate) version: Option<u32>,
    /// The blobs that the state names.
    pub(crate) blobs: Vec<Blob>,
    /// What the next call would load.
    pub(crate) warm: Warm,
}

/// The state of a record, out of the warm ones if it is among them.
///
/// Without bounds: whoever made the codec has met them.
pub(crate) async fn read<T>(
    manager: &StateManager,
    record: &Record,
    codec: Codec<T>,
    versions: &Versions,
) -> Result<T, Error> {
    let mut erased = manager.inner.warm.take(record).filter(|_| versions.is_current(record));
    if erased.is_none() && record.state.len() > MAX_INLINE_BYTES {
        let reading = read_off_thread(manager, record.clone(), codec.untyped, versions);
        // In a box: most states are small, and would be moved with the room for it.
        erased = Some(Box::pin(reading).await?);
    }
    if let Some(state) = erased.and_then(|state| (codec.restore)(state)) {
        return Ok(state);
    }
    let read = || read_as(record, manager.location(), codec.untyped, versions, codec.read);
    reading(Some(manager.origin(&record.key)), read)
}

async fn read_off_thread(
    manager: &StateManager,
    record: Record,
    codec: Untyped,
    versions: &Versions,
) -> Result<Box<dyn AnyState>, Error> {
    let (key, versions) = (record.key.clone(), versions.clone());
    let (location, origin) = (manager.location().to_owned(), manager.origin(&key));
    let read = move || read_as(&record, &location, codec, &versions, codec.read);
    off_thread(&key, "read", move || reading(Some(origin), read)).await?
}

/// Refuses the state of another type, although it might fit by chance: what does not fit would be
/// lost with the next save.
///
/// A type that was moved to another module keeps its name and its states, as long as that loses
/// nothing.
pub(super) fn read_as<S>(
    record: &Record,
    location: &str,
    codec: Untyped,
    versions: &Versions,
    read: Read<S>,
) -> Result<S, Error> {
    let json = current(record, location, codec, versions)?;
    read(&json).map_err(|unfit| {
        let Problem { path, reason } = unfit.0;
        let (key, backend) = (record.key.clone(), location.to_owned());
        Error::Decode { key, backend, state_type: (codec.type_name)(), path, reason }
    })
}

/// The JSON of a state of today's type.
fn current(
    record: &Record,
    location: &str,
    codec: Untyped,
    versions: &Versions,
) -> Result<Bytes, Error> {
    let Current { json, was_moved } = versions::migrate(record, location, codec, versions)?;
    if was_moved && !(codec.is_lossless)(&json) {
        return Err(versions::other_type(record, location, codec));
    }
    Ok(json)
}

/// The record as a program of today would have saved it.
pub(super) fn brought_up_to_date(
    mut record: Box<Record>,
    location: &str,
    codec: Untyped,
    versions: &Versions,
) -> Result<Box<Record>, Error> {
    let json = current(&record, location, codec, versions)?;
    record.metadata.state_version = versions.to_write();
    record.state_type = Some(Cow::Borrowed((codec.type_name)()));
    record.checksum = Some(Checksum::of(&json));
    record.state = json;
    Ok(record)
}

/// Writes a state, and reads it back. `size_before` is what it took when it was loaded.
pub(crate) async fn write(
    manager: &StateManager,
    key: &StateKey,
    state: Box<dyn AnyState>,
    expected: Option<Revision>,
    size_before: usize,
) -> Result<Prepared, Error> {
    let state_type = (*state).type_name();
    let refused = |Problem { path, reason }| {
        let key = key.clone();
        Error::Encode { key, state_type, path, reason }
    };
    // States grow: a little more than last time, or a first small one.
    let guess = size_before + size_before / 16 + 512;
    let (mut encoded, origin) = (Err(NotEncoded::OverLimit), manager.origin(key));
    if size_before <= MAX_INLINE_BYTES {
        encoded = (*state).encode(MAX_INLINE_BYTES, guess, Some(&origin));
    }
    if matches!(encoded, Err(NotEncoded::OverLimit)) {
        let write = move || (*state).encode(usize::MAX, guess, Some(&origin));
        encoded = Box::pin(off_thread(key, "write", write)).await?;
    }
    match encoded {
        Ok(encoded) => match encoded.blobs.iter().find(|blob| blob.len() > MAX_BLOB_BYTES as u64) {
            None => Ok(prepare(key, state_type, encoded, expected)),
            Some(large) => Err(refused(too_large(large))),
        },
        Err(NotEncoded::Refused(problem)) => Err(refused(problem)),
        Err(NotEncoded::OverLimit) => {
            let reason = "it takes more memory than there is".to_owned();
            Err(refused(Problem { path: ".".to_owned(), reason }))
        }
    }
}

fn too_large(blob: &Blob) -> Problem {
    let (id, bytes) = (blob.id(), blob.len());
    let reason = format!("its blob {id} has {bytes} bytes, {MAX_BLOB_BYTES} are allowed");
    Problem { path: ".".to_owned(), reason }
}

fn prepare(
    key: &StateKey,
    state_type: &'static str,
    encoded: Encoded,
    expected: Option<Revision>,
) -> Prepared {
    let Encoded { json, checksum, blobs, read_back } = encoded;
    let revision = Revision::after(expected);
    let warm = Warm { revision, checksum, bytes: json.len(), state: read_back };
    let state_type = Some(Cow::Borrowed(state_type));
    let record = Record::with_checksum(
        key.clone(),
        revision,
        state_type,
        Metadata::default(),
        json,
        checksum,
    );
    Prepared { write: Box::new(Write::new(record, expected)), version: None, blobs, warm }
}

/// Works here on a small state, and off the runtime's threads on a large one.
pub(super) async fn where_it_fits<R: Send + 'static>(
    key: &StateKey,
    operation: &'static str,
    bytes: usize,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Error> {
    if bytes <= MAX_INLINE_BYTES { Ok(work()) } else { off_thread(key, operation, work).await }
}

pub(super) async fn off_thread<R: Send + 'static>(
    key: &StateKey,
    operation: &'static str,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Error> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
    runtime.spawn_blocking(work).await.map_err(|stopped| match stopped.try_into_panic() {
        // It is the state type's own, and goes on as it would have on this thread.
        Ok(panic) => resume_unwind(panic),
        Err(ended) => Error::backend(Some(key), "the blocking pool", operation, ended),
    })
}
