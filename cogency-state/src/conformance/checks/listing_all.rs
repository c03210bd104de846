//! The keys of all users, in pages.

use std::collections::BTreeSet;

use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::key::{MAX_ID_BYTES, StateKey};

/// Few keys in a page, so that there are several.
const LIMIT: usize = 10;

pub(super) async fn listing_all_shows_the_keys_of_all_users(trial: &Trial<'_>) -> Verdict {
    needs_list(trial)?;
    let fresh = Trial::fresh_id();
    let long = "語".repeat(MAX_ID_BYTES / 3);
    let users = ["a", "A", "a:b", "a/b", "*", "%", "%61", " ", "日本", "\u{1}", "\u{ff}", &long];
    let mut due = BTreeSet::new();
    for (user, number) in users.iter().flat_map(|user| [(user, 1), (user, 2)]) {
        let key = trial.key_of(user, &format!("{fresh}{number}"))?;
        trial.backend.create(&key, "listed").await?;
        due.insert(key);
    }
    let found = list_all(trial).await?;
    if let Some(missing) = due.iter().find(|key| !found.contains(key)) {
        fail!("no page of list_all shows {missing}");
    }
    let own = found.iter().filter(|key| key.session_id().starts_with(&fresh));
    let strange = own.clone().find(|key| !due.contains(key));
    ensure!(strange.is_none(), "list_all shows {strange:?}, which nobody saved");
    Ok(())
}

pub(super) async fn listing_all_shows_keys_with_a_record_only(trial: &Trial<'_>) -> Verdict {
    needs_list(trial)?;
    let user = Trial::fresh_id();
    let kept = trial.key_of(&user, "kept")?;
    trial.backend.create(&kept, "kept").await?;
    let leased = trial.backend.acquire(&trial.key_of(&user, "leased")?).await?;
    let deleted = trial.backend.acquire(&trial.key_of(&user, "deleted")?).await?;
    trial.backend.create_under(&deleted, "deleted").await?;
    trial.backend.delete(&deleted).await?;
    let found = list_all(trial).await?;
    let found: Vec<_> = found.into_iter().filter(|key| key.user_id() == user).collect();
    trial.backend.release(&leased).await?;
    trial.backend.release(&deleted).await?;
    let surplus = found.iter().find(|key| **key != kept);
    ensure!(surplus.is_none(), "list_all shows {surplus:?}, which has no record");
    ensure!(found == [kept], "list_all does not show the key that has a record");
    Ok(())
}

pub(super) async fn listing_all_is_refused_clearly(trial: &Trial<'_>) -> Verdict {
    let can = trial.capabilities().lists_all;
    let after = can.then_some("no place of a list");
    match trial.backend.list_all(after, LIMIT).await {
        Err(Error::Config { .. }) => Ok(()),
        // Where it goes on after a name, any text is a place.
        Ok(_) if can => Err(Stop::NotApplicable("it takes any text as a place")),
        Ok(_) => fail!("list_all works, although the capabilities say that it cannot"),
        Err(error) => fail!("list_all failed with {error:?}, due is Config"),
    }
}

fn needs_list(trial: &Trial<'_>) -> Verdict {
    let can = trial.capabilities().lists_all;
    can.then_some(()).ok_or(Stop::NotApplicable("it cannot list all keys"))
}

/// All pages.
async fn list_all(trial: &Trial<'_>) -> Verdict<BTreeSet<StateKey>> {
    let (mut found, mut after) = (BTreeSet::new(), None);
    loop {
        let page = trial.backend.list_all(after.as_deref(), LIMIT).await;
        let page = page.map_err(|error| Stop::unexpected("list_all", &error))?;
        found.extend(page.keys);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}
