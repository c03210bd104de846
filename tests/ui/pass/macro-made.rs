//! Functions that `macro_rules!` makes: what its variables bring stands in invisible groups.
use cogency_state::{Error, robust};

macro_rules! counter {
    ($vis:vis $name:ident, $persist:literal, $key:expr, $retry:literal, $reference:ty, $ret:ty, $body:block) => {
        #[robust(persist = $persist, key = $key, retry = $retry)]
        $vis async fn $name(state: $reference) -> $ret {
            *state += 1;
            let result: $ret = $body;
            result.map(|_| *state)
        }
    };
}

macro_rules! whole_body {
    ($name:ident, $state:ident: $ty:ty, $manager:expr, $path:path, $body:block) => {
        #[robust(persist = $manager, crate = $path)]
        async fn $name($state: &mut $ty, user_id: &str) -> Result<u32, Error> $body
    };
}

counter!(pub count, "memory", "alice", 2, &mut u32, Result<u32, Error>, { Ok(1) });
counter!(other, "memory:", 1 + 1, 1, &mut u32, Result<u32, Error>, { Ok(2) });
whole_body!(whole, state: u32, "memory", ::cogency_state, {
    *state += 10;
    Ok(*state)
});

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(count().await?, 1);
    assert_eq!(other().await?, 1);
    assert_eq!(whole("alice").await?, 11);
    Ok(())
}
