//! The backend's own part of a save: it is given both versions, as JSON, and leaves to others to
//! write it. What finding the change takes is what a history makes of a save in memory.

use std::sync::Arc;
use std::time::Instant;

use cogency_state::{
    Holder, MemoryBackend, Metadata, Opened, Record, Revision, StateBackend, StateKey, Write,
};
use tokio::runtime::Runtime;

use super::samples::to_its_end;
use super::{Effort, KB, LARGE, Medium, opened, runtime};
use crate::chat::Chat;
use crate::contestant::Outcome;
use crate::results::{Cell, OwnPart, Spread};

const SIZES: [usize; 2] = [KB, LARGE];

type Backend = Arc<dyn StateBackend>;

pub(super) fn of_medium(medium: &'static Medium, effort: Effort) -> Vec<OwnPart> {
    let runtime = runtime();
    let place = opened(medium);
    let backend = place.as_ref().map_err(Clone::clone);
    let backend = backend.and_then(|place| to_its_end(&runtime, (medium.backend)(&place.at)));
    let bare: Backend = Arc::new(MemoryBackend::new().without_history());
    let backends = [Ok(Arc::new(MemoryBackend::new()) as Backend), Ok(bare), backend];
    SIZES.map(|bytes| of_size(&runtime, &backends, bytes, effort)).into()
}

fn of_size(
    runtime: &Runtime,
    backends: &[Cell<Backend>; 3],
    bytes: usize,
    effort: Effort,
) -> OwnPart {
    let mut chat = Chat::of_bytes(bytes);
    let mut samples = backends.clone().map(|backend| backend.map(|_| Vec::new()));
    let begun = Instant::now();
    let mut round = 0;
    while round <= effort.rounds || begun.elapsed() < effort.time {
        for (backend, values) in backends.iter().zip(&mut samples) {
            let (Ok(backend), Ok(times)) = (backend, &mut *values) else { continue };
            chat.turn();
            let saving = Box::pin(save(Arc::clone(backend), bytes, chat.json()));
            match to_its_end(runtime, saving) {
                // The first has nothing to replace, the second to warm up.
                Ok(_) if round < 2 => {}
                Ok(took) => times.push(took),
                Err(problem) => *values = Err(problem),
            }
        }
        round += 1;
    }
    let [with, without, save] = samples.map(|times| times.and_then(Spread::of));
    let change = with.and_then(|with| Ok((with.median - without?.median).max(0.0)));
    let finds_it = backends.last().is_some_and(|backend| keeps_history(backend.as_ref().ok()));
    OwnPart { bytes, save, change: if finds_it { change } else { Ok(0.0) } }
}

fn keeps_history(backend: Option<&Backend>) -> bool {
    backend.is_some_and(|backend| backend.capabilities().history)
}

/// Seconds of a save.
async fn save(backend: Backend, bytes: usize, json: Vec<u8>) -> Outcome<f64> {
    let key = StateKey::for_user(format!("own-{bytes}"))?;
    let opened = backend.acquire_and_load(&key, &Holder::current()).await?;
    let Opened::Acquired { lease, record } = opened else { return Err("the key is held".into()) };
    let (found, metadata, replaced) = match record {
        Some(Record { revision, metadata, state, .. }) => (Some(revision), metadata, Some(state)),
        None => (None, Metadata::default(), None),
    };
    let record = Record::new(key, Revision::after(found), None, metadata, json.into());
    let write = Write::new(record, found).with_replaced(replaced);
    let begun = Instant::now();
    backend.save_and_release(&lease, &write).await?;
    Ok(begun.elapsed().as_secs_f64())
}
