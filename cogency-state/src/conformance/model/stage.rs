//! The backend under test, going through the same steps as the model.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::reference::{Answer, INSTANCES, KEYS, Model, Nth, OWNERS, Step};
use crate::backend::{Lease, LeaseAttempt, Write};
use crate::conformance::check::{Stop, Verdict, ensure};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;

/// Runs a sequence on fresh keys and fails at the first answer that is not right.
pub(super) async fn run(trial: &Trial<'_>, steps: &[Step], seen: Option<&AtomicUsize>) -> Verdict {
    let begun = Instant::now();
    let mut stage = Stage::set(trial).await?;
    let verdict = stage.play(steps, seen).await;
    for (instance, lease) in &stage.leases {
        // What counts is how the sequence went.
        let _ = instance.release(lease).await;
    }
    // Where leases may have run out, what the model knows of them is not true any more.
    let too_slow = trial.capabilities().lease_ttl.is_some_and(|ttl| begun.elapsed() >= ttl);
    if verdict.is_err() && too_slow { Err(Stop::TooSlow) } else { verdict }
}

struct Stage<'t> {
    trial: &'t Trial<'t>,
    model: Model,
    instances: Vec<Instance>,
    users: Vec<String>,
    keys: Vec<StateKey>,
    /// Each with the instance that gave it.
    leases: Vec<(Instance, Lease)>,
    writes: Vec<Write>,
}

impl<'t> Stage<'t> {
    async fn set(trial: &'t Trial<'t>) -> Verdict<Self> {
        let users = vec![Trial::fresh_id(), Trial::fresh_id()];
        let mut keys = Vec::new();
        for (number, owner) in OWNERS.iter().enumerate() {
            let user = users.get(*owner).map_or("", String::as_str);
            keys.push(trial.key_of(user, &format!("session {number}"))?);
        }
        let mut instances = vec![trial.backend.clone()];
        while instances.len() < INSTANCES {
            instances.push(trial.second().await);
        }
        let (model, leases, writes) = (Model::default(), Vec::new(), Vec::new());
        Ok(Self { trial, model, instances, users, keys, leases, writes })
    }

    async fn play(&mut self, steps: &[Step], seen: Option<&AtomicUsize>) -> Verdict {
        for (number, step) in steps.iter().enumerate() {
            // Tells the search how far this sequence got, so that it drops the rest at once.
            if let Some(seen) = seen {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            let number = number + 1;
            self.compare(step, &format!("step {number}, {step:?},")).await?;
        }
        for instance in 0..INSTANCES {
            for key in 0..KEYS {
                self.compare(&Step::Load { instance, key }, &format!("at the end {key}")).await?;
            }
        }
        Ok(())
    }

    async fn compare(&mut self, step: &Step, when: &str) -> Verdict {
        let due = self.model.answers(step);
        let given = self.perform(step).await?;
        ensure!(due.contains(&given), "{when} gives {given:?}, due is {}", one_of(&due));
        Ok(())
    }

    async fn perform(&mut self, step: &Step) -> Verdict<Answer> {
        match *step {
            Step::Acquire { instance, key } => self.acquire(instance, key).await,
            Step::Renew { lease } => {
                let (instance, lease) = self.lease(lease)?;
                Ok(given(instance.renew_lease(lease).await, |()| Answer::Done))
            }
            Step::Release { lease } => {
                let (instance, lease) = self.lease(lease)?;
                Ok(given(instance.release_lease(lease).await, |()| Answer::Done))
            }
            Step::Save { lease, .. } => {
                self.make_write()?;
                self.save(lease, self.writes.len() - 1).await
            }
            Step::Repeat { lease, newer } => {
                let write = self.model.write(lease.key, newer).ok_or_else(absent)?;
                self.save(lease, write).await
            }
            Step::Delete { lease } => {
                let (instance, lease) = self.lease(lease)?;
                Ok(given(instance.delete_state(lease).await, Answer::Deleted))
            }
            Step::Load { instance, key } => self.load(instance, key).await,
            Step::List { instance, user } => self.list(instance, user).await,
            Step::Reopen { instance } => {
                let anew = self.trial.second().await;
                *self.instances.get_mut(instance).ok_or_else(absent)? = anew;
                Ok(Answer::Done)
            }
        }
    }

    async fn acquire(&mut self, instance: usize, key: usize) -> Verdict<Answer> {
        let instance = self.instances.get(instance).ok_or_else(absent)?.clone();
        let attempt = instance.acquire_lease(self.key(key)?, &Holder::current()).await;
        match attempt {
            Ok(LeaseAttempt::Acquired(lease)) => {
                let before = self.leases.iter().filter(|(_, before)| before.key() == lease.key());
                let newest = before.map(|(_, before)| before.token()).max();
                if newest.is_some_and(|newest| newest >= lease.token()) {
                    return Ok(Answer::Wrong("a token that is not newer".to_owned()));
                }
                self.leases.push((instance, lease));
                Ok(Answer::Acquired)
            }
            Ok(LeaseAttempt::Held(_)) => Ok(Answer::Held),
            Err(error) => Ok(refusal(&error)),
        }
    }

    /// The write that the model has just made up.
    fn make_write(&mut self) -> Verdict {
        let written = self.model.writes.last().ok_or_else(absent)?;
        let replaced = written.over.and_then(|write| self.writes.get(write));
        let text = format!("write {}", self.writes.len());
        let mut record =
            sample::record(self.key(written.key)?, replaced.map(|write| &write.record), &text);
        record.revision.version = written.version;
        let expected = replaced.map(|write| write.record.revision);
        self.writes.push(Write::new(record, expected));
        Ok(())
    }

    async fn save(&self, lease: Nth, write: usize) -> Verdict<Answer> {
        let (instance, lease) = self.lease(lease)?;
        let write = self.writes.get(write).ok_or_else(absent)?;
        Ok(given(instance.save_state(lease, write).await, |()| Answer::Done))
    }

    async fn load(&self, instance: usize, key: usize) -> Verdict<Answer> {
        let instance = self.instances.get(instance).ok_or_else(absent)?;
        Ok(given(instance.load_state(self.key(key)?).await, |found| {
            let Some(found) = found else { return Answer::Loaded(None) };
            let write = self.writes.iter().position(|write| write.record == found);
            write.map_or_else(
                || Answer::Wrong("a record that nobody saved".to_owned()),
                |write| Answer::Loaded(Some(write)),
            )
        }))
    }

    async fn list(&self, instance: usize, user: usize) -> Verdict<Answer> {
        let instance = self.instances.get(instance).ok_or_else(absent)?;
        let user = self.users.get(user).ok_or_else(absent)?;
        Ok(given(instance.list_states(user).await, |listed| {
            let places = listed.iter().map(|key| self.keys.iter().position(|own| own == key));
            places.collect::<Option<_>>().map_or_else(
                || Answer::Wrong("a key that is not the user's".to_owned()),
                Answer::Listed,
            )
        }))
    }

    fn key(&self, key: usize) -> Verdict<&StateKey> {
        self.keys.get(key).ok_or_else(absent)
    }

    fn lease(&self, lease: Nth) -> Verdict<&(Instance, Lease)> {
        let lease = self.model.lease(lease).ok_or_else(absent)?;
        self.leases.get(lease).ok_or_else(absent)
    }
}

/// A step speaks of what the sequence does not have: the model would be wrong, not the backend.
fn absent() -> Stop {
    Stop::failed("the model speaks of what is not there")
}

fn given<T>(result: Result<T, Error>, answer: impl FnOnce(T) -> Answer) -> Answer {
    result.map_or_else(|error| refusal(&error), answer)
}

fn refusal(error: &Error) -> Answer {
    match *error {
        Error::Conflict { expected, found, .. } => Answer::Conflict { expected, found },
        Error::LeaseLost { .. } => Answer::LeaseLost,
        _ => Answer::Wrong(error.to_string()),
    }
}

fn one_of(answers: &[Answer]) -> String {
    answers.iter().map(|answer| format!("{answer:?}")).collect::<Vec<_>>().join(" or ")
}
