//! Between records and typed states, off the runtime's threads where it takes long.

use std::borrow::Cow;
use std::panic::resume_unwind;

use super::StateManager;
use super::warm::Warm;
use crate::backend::Write;
use crate::codec::{AnyState, Codec, Encoded, NotEncoded, Problem, Read, Untyped};
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

/// A larger state is read and written on a thread that may block: a quarter of a millisecond is
/// as long as a worker thread should be kept.
const MAX_INLINE_BYTES: usize = 256 << 10;

/// A save that is ready to go, but for its metadata.
pub(crate) struct Prepared {
    pub(crate) write: Box<Write>,
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
) -> Result<T, Error> {
    let mut erased = manager.inner.warm.take(record);
    if erased.is_none() && record.state.len() > MAX_INLINE_BYTES {
        erased = Some(read_off_thread(manager, record.clone(), codec.untyped).await?);
    }
    if let Some(state) = erased.and_then(|state| (codec.restore)(state)) {
        return Ok(state);
    }
    read_as(record, manager.backend().location(), codec.untyped, codec.read)
}

async fn read_off_thread(
    manager: &StateManager,
    record: Record,
    codec: Untyped,
) -> Result<Box<dyn AnyState>, Error> {
    let key = record.key.clone();
    let location = manager.backend().location().to_owned();
    off_thread(&key, "read", move || read_as(&record, &location, codec, codec.read)).await?
}

fn read_as<S>(record: &Record, location: &str, codec: Untyped, read: Read<S>) -> Result<S, Error> {
    check_type(record, location, codec)?;
    read(&record.state).map_err(|unfit| {
        let Problem { path, reason } = unfit.0;
        let (key, backend) = (record.key.clone(), location.to_owned());
        Error::Decode { key, backend, state_type: (codec.type_name)(), path, reason }
    })
}

/// Refuses the state of another type, although it might fit by chance: what does not fit would be
/// lost with the next save.
///
/// A type that was moved to another module keeps its name and its states, as long as that loses
/// nothing.
fn check_type(record: &Record, location: &str, codec: Untyped) -> Result<(), Error> {
    let expected = (codec.type_name)();
    let Some(stored) = record.state_type.as_deref().filter(|stored| *stored != expected) else {
        return Ok(());
    };
    if without_paths(stored) == without_paths(expected) && (codec.is_lossless)(&record.state) {
        return Ok(());
    }
    let (key, backend, stored) = (record.key.clone(), location.to_owned(), stored.to_owned());
    Err(Error::StateType { key, backend, stored, expected })
}

/// `a::b::Chat<c::Turn>` -> `Chat<Turn>`
fn without_paths(type_name: &str) -> String {
    let mut short = String::with_capacity(type_name.len());
    for part in type_name.split_inclusive(|c: char| !(c.is_alphanumeric() || "_:{}".contains(c))) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

/// Writes a state, and reads it back. `size_before` is what it took when it was loaded.
pub(crate) async fn write(
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
    let mut encoded = Err(NotEncoded::OverLimit);
    if size_before <= MAX_INLINE_BYTES {
        encoded = (*state).encode(MAX_INLINE_BYTES, guess);
    }
    if matches!(encoded, Err(NotEncoded::OverLimit)) {
        encoded = off_thread(key, "write", move || (*state).encode(usize::MAX, guess)).await?;
    }
    match encoded {
        Ok(encoded) => Ok(prepare(key, state_type, encoded, expected)),
        Err(NotEncoded::Refused(problem)) => Err(refused(problem)),
        Err(NotEncoded::OverLimit) => {
            let reason = "it takes more memory than there is".to_owned();
            Err(refused(Problem { path: ".".to_owned(), reason }))
        }
    }
}

fn prepare(
    key: &StateKey,
    state_type: &'static str,
    encoded: Encoded,
    expected: Option<Revision>,
) -> Prepared {
    let Encoded { json, checksum, read_back } = encoded;
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
    Prepared { write: Box::new(Write::new(record, expected)), warm }
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
