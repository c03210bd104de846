//! Without `retry`, arguments need not be `Clone`, may be `mut`, and may be mutable references.
use cogency_state::{Error, robust};

struct Unique(String);

#[robust(persist = "memory")]
async fn take(
    state: &mut usize,
    user_id: &str,
    mut unique: Unique,
    (left, mut right): (Unique, Unique),
    seen: &mut Vec<String>,
) -> Result<usize, Error> {
    unique.0.push('1');
    right.0.push('2');
    seen.extend([unique.0, left.0, right.0]);
    *state += 3;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let unique = |text: &str| Unique(text.to_owned());
    let mut seen = Vec::new();
    let taken = take("alice", unique("a"), (unique("b"), unique("c")), &mut seen).await?;
    assert_eq!((taken, seen), (3, vec!["a1".to_owned(), "b".to_owned(), "c2".to_owned()]));
    Ok(())
}
