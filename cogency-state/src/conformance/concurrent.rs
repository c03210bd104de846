//! Several tasks at once, and the history of what they did.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::check::{Stop, Verdict};
use super::history::{History, Hold, Loaded, Saved, Span};
use super::instance::Instance;
use super::sample;
use super::trial::Trial;
use crate::backend::{Lease, Write};
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Record;

const WRITERS: usize = 4;
const READERS: usize = 2;
/// How many saves each writer makes of each key.
const ROUNDS: usize = 12;

/// How long whoever finds a key held waits before the next attempt.
const PAUSE: Duration = Duration::from_millis(1);

/// Counts the begins and ends of all operations, so that they have an order.
#[derive(Clone, Debug, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// What one task did.
#[derive(Debug)]
struct Task {
    backend: Instance,
    clock: Clock,
    log: BTreeMap<StateKey, History>,
}

pub(super) async fn concurrent_histories_are_consistent(trial: &Trial<'_>) -> Verdict {
    let keys = Arc::new([trial.key()?, trial.key()?]);
    let clock = Clock::default();
    let mut instances = [trial.backend.clone(), trial.second().await].into_iter().cycle();
    let mut task = || instances.next().map(|backend| Task::new(backend, clock.clone()));
    let (done, writing) = watch::channel(());

    let mut writers = JoinSet::new();
    for task in (0..WRITERS).filter_map(|_| task()) {
        writers.spawn(task.write(Arc::clone(&keys)));
    }
    let mut readers = JoinSet::new();
    for task in (0..READERS).filter_map(|_| task()) {
        readers.spawn(task.read(Arc::clone(&keys), writing.clone()));
    }
    drop(writing);
    let mut logs = finished(&mut writers).await?;
    drop(done);
    logs.extend(finished(&mut readers).await?);
    // The last word: what is there when all is done.
    let mut last = Task::new(trial.backend.clone(), clock.clone());
    for key in &*keys {
        last.load(key).await?;
    }
    logs.push(last.log);
    merged(logs).values().try_for_each(History::check)
}

type Log = BTreeMap<StateKey, History>;

async fn finished(tasks: &mut JoinSet<Verdict<Log>>) -> Verdict<Vec<Log>> {
    let mut logs = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        logs.push(joined.map_err(|error| Stop::failed(format!("a concurrent {error}")))??);
    }
    Ok(logs)
}

fn merged(logs: Vec<Log>) -> Log {
    let mut all = Log::new();
    for (key, part) in logs.into_iter().flatten() {
        let whole = all.entry(key).or_default();
        whole.saves.extend(part.saves);
        whole.loads.extend(part.loads);
        whole.holds.extend(part.holds);
        whole.failures.extend(part.failures);
    }
    all
}

impl Task {
    fn new(backend: Instance, clock: Clock) -> Self {
        Self { backend, clock, log: Log::new() }
    }

    fn history(&mut self, key: &StateKey) -> &mut History {
        self.log.entry(key.clone()).or_default()
    }

    async fn write(mut self, keys: Arc<[StateKey; 2]>) -> Verdict<Log> {
        for _ in 0..ROUNDS {
            for key in &*keys {
                self.round(key).await?;
            }
        }
        Ok(self.log)
    }

    async fn read(
        mut self,
        keys: Arc<[StateKey; 2]>,
        writing: watch::Receiver<()>,
    ) -> Verdict<Log> {
        // The channel closes when the writers are done.
        while writing.has_changed().is_ok() {
            for key in &*keys {
                self.load(key).await?;
            }
            sleep(PAUSE).await;
        }
        Ok(self.log)
    }

    async fn load(&mut self, key: &StateKey) -> Verdict<Option<Record>> {
        let begun = self.clock.tick();
        let record = self.backend.load(key).await?;
        let span = Span { begun, ended: self.clock.tick() };
        let found = record.as_ref().map(|record| record.revision);
        self.history(key).loads.push(Loaded { span, found });
        Ok(record)
    }

    /// Takes the key, loads it, saves it and gives it back.
    async fn round(&mut self, key: &StateKey) -> Verdict {
        let (lease, asked) = self.wait_for(key).await?;
        let begun = self.clock.tick();
        let found = self.load(key).await?;
        let next = sample::record(key, found.as_ref(), "one of many");
        let write = Write::new(next, found.map(|record| record.revision));
        tokio::task::yield_now().await;
        self.save(&lease, &write, asked).await?;
        let ended = self.clock.tick();
        // A lease that ran out may be somebody else's by now, and rightly so.
        if !self.has_run_out(asked) {
            let hold = Hold { span: Span { begun, ended }, token: lease.token() };
            self.history(key).holds.push(hold);
        }
        self.backend.release(&lease).await
    }

    async fn wait_for(&self, key: &StateKey) -> Verdict<(Lease, Instant)> {
        loop {
            let asked = Instant::now();
            if let Some(lease) = self.backend.attempt(key).await? {
                return Ok((lease, asked));
            }
            sleep(PAUSE).await;
        }
    }

    async fn save(&mut self, lease: &Lease, write: &Write, asked: Instant) -> Verdict {
        let begun = self.clock.tick();
        let result = self.backend.save_state(lease, write).await;
        let span = Span { begun, ended: self.clock.tick() };
        let acknowledged = match result {
            Ok(()) => true,
            Err(Error::LeaseLost { .. }) if self.has_run_out(asked) => false,
            Err(error @ (Error::Conflict { .. } | Error::LeaseLost { .. })) => {
                // An older load may be the reason: the whole history is looked at before this.
                self.history(lease.key()).failures.push(error.to_string());
                false
            }
            Err(error) => return Err(Stop::unexpected("save_state by a holder", &error)),
        };
        let (replaced, made) = (write.expected, write.record.revision);
        let saved = Saved { span, token: lease.token(), replaced, made, acknowledged };
        self.history(lease.key()).saves.push(saved);
        Ok(())
    }

    fn has_run_out(&self, asked: Instant) -> bool {
        self.backend.capabilities().lease_ttl.is_some_and(|ttl| asked.elapsed() >= ttl)
    }
}
