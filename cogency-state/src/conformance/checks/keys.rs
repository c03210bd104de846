//! Keys are exact, whatever characters they have.

use crate::conformance::check::{Verdict, ensure, fail};
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::key::{MAX_ID_BYTES, StateKey};
use crate::record::Record;

/// Ids that one store or another is known to change, refuse, or take for a pattern. Many differ
/// only in what a careless store folds.
#[rustfmt::skip]
const HOSTILE: [&str; 80] = [
    // Letter case, spaces, dots
    "a", "A", "b", "ab", "aB", "a b", " a", "a ", "a  ", ".", "..", "...", "a.", "a..", ".a",
    // Paths
    "../a", "../../etc/passwd", "/", "/a", "a/", "a/b", "a//b", "a/./b", "\\", "a\\b", "a\\",
    // Separators and escapes
    ":", "a:b", "a::b", "_", "a_b", "a-b", "-", "--help", "~", "%", "%2f", "%2F", "%%", "%00", "a%b",
    // Patterns, placeholders, quotes
    "*", "?", "[a]", "[!a]", "{a}", "{}", "{a,b}", "{{a}}", "$", "$1", "${a}", "#", "!", "|", ";",
    "'", "''", "\"", "`", "' OR '1'='1",
    // Control characters, reserved names, numbers
    "a\nb", "a\r\nb", "\t", "\u{1}", "\u{7f}", "CON", "con", "NUL.txt", "COM1", "null", "0", "00",
    // One letter in two forms, right to left, a byte order mark, a robot, a ligature, a sharp s
    "\u{e9}", "e\u{301}", "\u{202e}abc", "\u{feff}a", "\u{1f916}", "\u{fb01}", "\u{df}",
];

/// The hostile ids, those that are long, and those that are as long as an id may be.
fn hostile() -> Vec<String> {
    let mut ids: Vec<String> = HOSTILE.map(str::to_owned).into();
    ids.extend([
        "x".repeat(300),
        format!("{}y", "x".repeat(299)),
        "ss".to_owned(),
        "fi".to_owned(),
    ]);
    ids.push("x".repeat(MAX_ID_BYTES));
    ids.push(format!("{}y", "x".repeat(MAX_ID_BYTES - 1)));
    // Three bytes each, nine with percent signs.
    ids.push("語".repeat(MAX_ID_BYTES / 3));
    ids
}

/// Every hostile id as a session and as a user, and halves that look alike when they are joined.
fn hostile_keys(trial: &Trial<'_>) -> Verdict<Vec<StateKey>> {
    let fresh = Trial::fresh_id();
    let mut keys = Vec::new();
    for id in hostile() {
        keys.push(trial.key_of(&fresh, &id)?);
        keys.push(trial.key_of(&id, &fresh)?);
    }
    for joint in [":", "/", "_", "-", "\\", ".", "%", "\n", "\u{1f}", "\u{1}", "\u{ff}"] {
        keys.push(trial.key_of(&format!("{fresh}{joint}b"), "c")?);
        keys.push(trial.key_of(&fresh, &format!("b{joint}c"))?);
    }
    Ok(keys)
}

pub(super) async fn keys_that_differ_name_different_records(trial: &Trial<'_>) -> Verdict {
    let mut records: Vec<Record> = Vec::new();
    for key in hostile_keys(trial)? {
        let when = format!("before the first save under {key}, after many others");
        trial.backend.holds_none(&key, &when).await?;
        records.push(trial.backend.create(&key, &key.to_string()).await?);
    }
    for record in &records {
        let when = format!("after saves under keys unlike {}", record.key);
        trial.backend.holds(record, &when).await?;
    }

    let (deleted, kept): (Vec<_>, Vec<_>) =
        records.iter().enumerate().partition(|(place, _)| place % 2 == 0);
    for (_, record) in &deleted {
        let lease = trial.backend.acquire(&record.key).await?;
        ensure!(
            trial.backend.delete(&lease).await?,
            "delete_state of {} says that there was no record",
            record.key
        );
        trial.backend.release(&lease).await?;
    }
    for (_, record) in &kept {
        let when = format!("after keys unlike {} were deleted", record.key);
        trial.backend.holds(record, &when).await?;
    }
    Ok(())
}

pub(super) async fn listing_names_hostile_keys_exactly(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    let mut due = Vec::new();
    for id in hostile() {
        let key = trial.key_of(&user, &id)?;
        trial.backend.create(&key, "listed").await?;
        due.push(key);
    }
    due.sort();
    lists(trial, &user, &due).await?;

    // Others may use these user ids too: only the fresh session is looked for.
    let fresh = Trial::fresh_id();
    for id in hostile() {
        let key = trial.key_of(&id, &fresh)?;
        trial.backend.create(&key, "listed").await?;
        let found = trial.backend.list(&id).await?;
        ensure!(found.contains(&key), "list_states({id:?}) does not show {key}");
        ensure!(
            found.iter().all(|key| key.user_id() == id),
            "list_states({id:?}) shows a key of another user"
        );
    }
    Ok(())
}

pub(super) async fn listing_shows_one_users_keys_in_order(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    lists(trial, &user, &[]).await?;
    let mut due = Vec::new();
    for session in ["b", "default", "a", "é", "B", "a.b", "10", "9", "a b"] {
        let key = trial.key_of(&user, session)?;
        trial.backend.create(&key, "listed").await?;
        due.push(key);
    }
    due.sort();
    let stem = user.get(..user.len() - 1).unwrap_or_default();
    let others = [
        stem.to_owned(),
        format!("{user}1"),
        format!("{user}:a"),
        format!("{user}/a"),
        format!("{user} "),
        format!("{user}."),
        format!("{stem}?"),
        format!("{stem}*"),
        format!("{stem}_"),
        format!("{stem}%"),
        "*".to_owned(),
        "%".to_owned(),
        user.to_uppercase(),
    ];
    for other in &others {
        trial.backend.create(&trial.key_of(other, &user)?, "of somebody else").await?;
    }
    lists(trial, &user, &due).await?;
    lists(trial, &format!("{user}1"), &[trial.key_of(&format!("{user}1"), &user)?]).await?;
    lists(trial, &format!("{stem}*"), &[trial.key_of(&format!("{stem}*"), &user)?]).await
}

pub(super) async fn listing_shows_keys_with_a_record_only(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    let kept = trial.key_of(&user, "kept")?;
    trial.backend.create(&kept, "kept").await?;
    let only_leased = trial.backend.acquire(&trial.key_of(&user, "leased")?).await?;
    let deleted = trial.backend.acquire(&trial.key_of(&user, "deleted")?).await?;
    trial.backend.create_under(&deleted, "deleted").await?;
    trial.backend.delete(&deleted).await?;

    lists(trial, &user, std::slice::from_ref(&kept)).await?;
    trial.backend.release(&only_leased).await?;
    trial.backend.release(&deleted).await?;
    lists(trial, &user, &[kept]).await
}

pub(super) async fn listing_refuses_invalid_ids(trial: &Trial<'_>) -> Verdict {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    for (what, id) in [("an empty id", ""), ("an id with NUL", "a\0b"), ("a long id", &long)] {
        match trial.backend.list_states(id).await {
            Err(Error::InvalidKey { .. }) => {}
            Err(error) => fail!("list_states of {what} failed with {error:?}, due is InvalidKey"),
            Ok(_) => fail!("list_states of {what} succeeded, due is InvalidKey"),
        }
    }
    Ok(())
}

/// Fails unless a user has exactly these keys, in this order.
async fn lists(trial: &Trial<'_>, user: &str, due: &[StateKey]) -> Verdict {
    let found = trial.backend.list(user).await?;
    if found == due {
        return Ok(());
    }
    if let Some(key) = due.iter().find(|key| !found.contains(key)) {
        fail!("list_states({user:?}) does not show {key}");
    }
    if let Some(key) = found.iter().find(|key| !due.contains(key)) {
        fail!("list_states({user:?}) shows {key}, which has no record or is not the user's");
    }
    fail!("list_states({user:?}) shows the right keys, but twice or out of order")
}
