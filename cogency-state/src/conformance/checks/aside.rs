//! What is set aside is kept, whole, until it is restored or deleted.

use crate::aside::{Aside, AsideReason};
use crate::backend::Lease;
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Record;

pub(super) async fn what_is_set_aside_leaves_its_key(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let record = trial.backend.create(&trial.key()?, "to be set aside").await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let aside = aside(&record);
    ensure!(set(&trial.backend, &lease, &aside).await?, "set_aside of a record says false");
    trial.backend.holds_none(&record.key, "after it was set aside").await?;
    ensure!(
        trial.backend.list(record.key.user_id()).await?.is_empty(),
        "a key whose record was set aside is still listed"
    );
    let anew = trial.backend.create_under(&lease, "anew").await?;
    trial.backend.holds(&anew, "after another was set aside").await?;
    trial.backend.delete(&lease).await?;
    let none = Aside::new(record.key.clone(), AsideReason::Llm);
    ensure!(
        !set(&trial.backend, &lease, &none).await?,
        "set_aside where there is no record says true"
    );
    trial.backend.release(&lease).await
}

pub(super) async fn what_is_set_aside_comes_back_equal(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let record = trial.backend.create(&trial.key()?, "to come back").await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let aside = aside(&record);
    set(&trial.backend, &lease, &aside).await?;
    let second = trial.second().await;
    let found = load(&second, &aside).await?;
    sample::same(found.as_ref(), Some(&record), "set aside, through another instance")?;
    ensure!(restore(&trial.backend, &lease, &aside).await?, "restore_aside says false");
    trial.backend.holds(&record, "after it was restored").await?;
    ensure!(
        trial.backend.list(record.key.user_id()).await? == [record.key.clone()],
        "a key whose record was restored is not listed"
    );
    ensure!(!restore(&trial.backend, &lease, &aside).await?, "a second restore_aside says true");
    sample::same(load(&second, &aside).await?.as_ref(), None, "aside, after it was restored")?;
    let next = sample::record(&record.key, Some(&record), "the next");
    trial.backend.save(&lease, &next, Some(&record)).await?;
    trial.backend.holds(&next, "saved over what was restored").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn an_unreadable_record_can_be_set_aside(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let record = trial.backend.create(&trial.key()?, "soon unreadable").await?;
    trial.damage(&record.key).await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let aside = Aside::new(record.key.clone(), AsideReason::Corrupt);
    ensure!(set(&trial.backend, &lease, &aside).await?, "set_aside of a damaged record says false");
    trial.backend.holds_none(&record.key, "after a damaged record was set aside").await?;
    let anew = trial.backend.create_under(&lease, "anew").await?;
    trial.backend.holds(&anew, "after a damaged record was set aside").await?;
    unreadable(trial.backend.load_aside(&record.key, aside.id).await, "load_aside")?;
    trial.backend.delete(&lease).await?;
    ensure!(restore(&trial.backend, &lease, &aside).await?, "restore_aside says false");
    unreadable(trial.backend.load_state(&record.key).await, "load_state")?;
    trial.backend.delete(&lease).await?;
    trial.backend.release(&lease).await
}

pub(super) async fn setting_aside_can_be_repeated(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let record = trial.backend.create(&trial.key()?, "once").await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let aside = aside(&record);
    set(&trial.backend, &lease, &aside).await?;
    let anew = trial.backend.create_under(&lease, "anew").await?;
    ensure!(set(&trial.backend, &lease, &aside).await?, "a repeated set_aside says false");
    trial.backend.holds(&anew, "after a repeated set_aside").await?;
    let found = load(&trial.backend, &aside).await?;
    sample::same(found.as_ref(), Some(&record), "after a repeated set_aside")?;
    trial.backend.release(&lease).await
}

pub(super) async fn nothing_is_restored_over_a_record(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let record = trial.backend.create(&trial.key()?, "the old one").await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let aside = aside(&record);
    set(&trial.backend, &lease, &aside).await?;
    let anew = trial.backend.create_under(&lease, "the new one").await?;
    match trial.backend.restore_aside(&lease, aside.id).await {
        Err(Error::Conflict { .. }) => {}
        Err(error) => fail!("a restore over a record failed with {error:?}, due is Conflict"),
        Ok(_) => fail!("a restore over a record succeeded, due is Conflict"),
    }
    trial.backend.holds(&anew, "after a restore was refused").await?;
    let found = load(&trial.backend, &aside).await?;
    sample::same(found.as_ref(), Some(&record), "after a restore was refused")?;
    trial.backend.release(&lease).await
}

pub(super) async fn only_who_holds_the_key_sets_aside(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let record = trial.backend.create(&trial.key()?, "not to be set aside").await?;
    let old = trial.backend.acquire(&record.key).await?;
    trial.backend.release(&old).await?;
    let lease = trial.backend.acquire(&record.key).await?;
    let aside = aside(&record);
    match trial.backend.set_aside(&old, &aside).await {
        Err(Error::LeaseLost { .. }) => {}
        Err(error) => fail!("set_aside with an old lease failed with {error:?}, due is LeaseLost"),
        Ok(_) => fail!("set_aside with an old lease succeeded, due is LeaseLost"),
    }
    trial.backend.holds(&record, "after set_aside was refused").await?;
    set(&trial.backend, &lease, &aside).await?;
    match trial.backend.restore_aside(&old, aside.id).await {
        Err(Error::LeaseLost { .. }) => {}
        Err(error) => fail!("restore_aside with an old lease failed with {error:?}"),
        Ok(_) => fail!("restore_aside with an old lease succeeded, due is LeaseLost"),
    }
    trial.backend.holds_none(&record.key, "after restore_aside was refused").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn what_was_set_aside_is_listed_for_its_user(trial: &Trial<'_>) -> Verdict {
    applies(trial)?;
    let user_id = Trial::fresh_id();
    let hostile = trial.key_of(&user_id, "a/b:c*%\n{x}")?;
    let long = trial.key_of(&user_id, &"x".repeat(1000))?;
    let other = trial.key_of(&format!("{user_id}0"), "default")?;
    let mut due = Vec::new();
    for key in [&hostile, &long, &hostile, &other] {
        let record = trial.backend.create(key, "one of several").await?;
        let lease = trial.backend.acquire(key).await?;
        let aside = aside(&record);
        set(&trial.backend, &lease, &aside).await?;
        trial.backend.release(&lease).await?;
        due.push(aside);
    }
    let of_user = list(&trial.backend, Some(&user_id)).await?;
    ensure!(
        of_user.len() == 3 && due.iter().take(3).all(|aside| of_user.contains(aside)),
        "list_aside of a user shows {of_user:?}, due are the first three of {due:?}"
    );
    let all = list(&trial.second().await, None).await?;
    ensure!(due.iter().all(|aside| all.contains(aside)), "list_aside of all does not show all");
    for aside in &due {
        let dropped = trial.backend.drop_aside(&aside.key, aside.id).await;
        let dropped = dropped.map_err(|error| Stop::unexpected("drop_aside", &error))?;
        ensure!(dropped, "drop_aside says that it was not there");
    }
    let left = list(&trial.backend, Some(&user_id)).await?;
    ensure!(left.is_empty(), "list_aside shows what was deleted: {left:?}");
    Ok(())
}

pub(super) fn applies(trial: &Trial<'_>) -> Verdict {
    if trial.capabilities().aside {
        return Ok(());
    }
    Err(Stop::NotApplicable("it cannot set aside"))
}

pub(super) fn aside(record: &Record) -> Aside {
    Aside::new(record.key.clone(), AsideReason::Llm)
        .with_metadata(record.revision.version, &record.metadata)
}

pub(super) async fn set(backend: &Instance, lease: &Lease, aside: &Aside) -> Verdict<bool> {
    let set = backend.set_aside(lease, aside).await;
    set.map_err(|error| Stop::unexpected("set_aside", &error))
}

pub(super) async fn restore(backend: &Instance, lease: &Lease, aside: &Aside) -> Verdict<bool> {
    let restored = backend.restore_aside(lease, aside.id).await;
    restored.map_err(|error| Stop::unexpected("restore_aside", &error))
}

async fn load(backend: &Instance, aside: &Aside) -> Verdict<Option<Record>> {
    let loaded = backend.load_aside(&aside.key, aside.id).await;
    loaded.map_err(|error| Stop::unexpected("load_aside", &error))
}

async fn list(backend: &Instance, user_id: Option<&str>) -> Verdict<Vec<Aside>> {
    let listed = backend.list_aside(user_id).await;
    listed.map_err(|error| Stop::unexpected("list_aside", &error))
}

fn unreadable(loaded: Result<Option<Record>, Error>, what: &str) -> Verdict {
    match loaded {
        Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }) => Ok(()),
        Err(error) => fail!("{what} of a damaged record failed with {error:?}, due is Corrupt"),
        Ok(_) => fail!("{what} of a damaged record succeeded, due is Corrupt"),
    }
}

/// Deletes what the checks left behind under a key.
pub(in crate::conformance) async fn clean_up(backend: &Instance, key: &StateKey) {
    let asides = backend.list_aside(Some(key.user_id())).await.unwrap_or_default();
    for aside in asides {
        // Whatever happens to one, the others are deleted.
        let _ = backend.drop_aside(&aside.key, aside.id).await;
    }
}
