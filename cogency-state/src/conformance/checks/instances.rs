//! Several instances over the same records, at the same time and one after the other.

use std::time::Instant;

use crate::backend::{Capabilities, Durability};
use crate::conformance::check::{Stop, Verdict, ensure};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;

pub(super) async fn a_second_instance_sees_the_same_records(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    let key = trial.key_of(&user, "default")?;
    let (here, there) = (&trial.backend, trial.second().await);
    let first = here.create(&key, "made here").await?;
    there.holds(&first, "another instance, after the first save").await?;

    let lease = there.acquire(&key).await?;
    let second = sample::record(&key, Some(&first), "changed there");
    there.save(&lease, &second, Some(&first)).await?;
    here.holds(&second, "this instance, after a save through another").await?;
    ensure!(there.list(&user).await? == [key.clone()], "another instance lists other keys");
    there.delete(&lease).await?;
    here.holds_none(&key, "this instance, after a delete through another").await?;
    ensure!(here.list(&user).await?.is_empty(), "this instance lists what another deleted");
    there.release(&lease).await
}

pub(super) async fn a_second_instance_sees_the_same_leases(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let (here, there) = (&trial.backend, trial.second().await);
    let since = Instant::now();
    let first = here.acquire(&key).await?;
    there.finds_held(&key, since, "another instance, after it was taken here").await?;
    let record = here.create_under(&first, "made here").await?;
    here.release(&first).await?;

    let since = Instant::now();
    let second = there.acquire(&key).await?;
    ensure!(second.token() > first.token(), "another instance gives a token that is not newer");
    here.finds_held(&key, since, "this instance, after it was taken through another").await?;
    here.refuses_lost(&first, &record, "with a lease that went to another instance").await?;
    there.release(&second).await
}

pub(super) async fn instances_agree_on_what_they_are(trial: &Trial<'_>) -> Verdict {
    let there = trial.second().await;
    trial.backend.create(&trial.key()?, "first").await?;
    let (here, there) = (describe(&trial.backend), describe(&there));
    ensure!(!here.0.is_empty(), "the location is empty");
    ensure!(
        here.0 == there.0,
        "over the same records the locations are {:?}, {:?}",
        here.0,
        there.0
    );
    ensure!(here.1 == there.1, "over the same records the capabilities differ");
    ensure!(describe(&trial.backend) == here, "the location or the capabilities have changed");
    Ok(())
}

fn describe(backend: &Instance) -> (String, Capabilities) {
    (backend.location().to_owned(), backend.capabilities())
}

pub(super) async fn records_survive_a_restart(trial: &Trial<'_>) -> Verdict {
    if trial.capabilities().durability == Durability::Process {
        return Err(Stop::NotApplicable("its records live and die with the process"));
    }
    let user = Trial::fresh_id();
    let kept = trial.backend.create(&trial.key_of(&user, "kept")?, "kept").await?;
    let gone = trial.key_of(&user, "gone")?;
    let past = trial.backend.acquire(&gone).await?;
    trial.backend.create_under(&past, "soon deleted").await?;
    trial.backend.delete(&past).await?;
    trial.backend.release(&past).await?;

    let anew = Instance::new(trial.harness.restart().await);
    anew.holds(&kept, "after a restart").await?;
    anew.holds_none(&gone, "after a restart, deleted before").await?;
    ensure!(anew.list(&user).await? == [kept.key.clone()], "after a restart list_states differs");
    let lease = anew.acquire(&gone).await?;
    ensure!(lease.token() > past.token(), "after a restart the fencing tokens begin anew");
    anew.release(&lease).await?;
    let lease = anew.acquire(&kept.key).await?;
    let next = sample::record(&kept.key, Some(&kept), "saved after a restart");
    anew.save(&lease, &next, Some(&kept)).await?;
    anew.holds(&next, "after a restart and a save").await?;
    anew.release(&lease).await
}

pub(super) async fn nothing_outlives_the_process(trial: &Trial<'_>) -> Verdict {
    if trial.capabilities().durability != Durability::Process {
        return Err(Stop::NotApplicable("its records survive the process"));
    }
    let user = Trial::fresh_id();
    let key = trial.key_of(&user, "default")?;
    trial.backend.create(&key, "soon gone").await?;
    let anew = Instance::new(trial.harness.restart().await);
    anew.holds_none(&key, "after a restart, with Durability::Process").await?;
    ensure!(anew.list(&user).await?.is_empty(), "after a restart list_states shows a record");
    anew.create(&key, "anew").await?;
    Ok(())
}
