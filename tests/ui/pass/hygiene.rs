//! Neither do the names of the expansion meet the user's, nor does it need anything in scope.
#![deny(warnings)]
#![allow(non_camel_case_types, dead_code)]

mod core {}
mod std {}
mod private {}
struct Result;
struct Option;
struct Some;
struct Err;
struct Run;
struct Future;
trait Reuse {
    fn reuse(&self) -> Never;
    fn clone(&self) -> Never;
}
struct Never;
impl<T> Reuse for T {
    fn reuse(&self) -> Never {
        Never
    }
    fn clone(&self) -> Never {
        Never
    }
}

type Fallible<T> = ::core::result::Result<T, ::cogency_state::Error>;

#[::cogency_state::robust(persist = "memory", key = run, session = state, retry = 2)]
async fn count(
    codec: &mut ::std::vec::Vec<u32>,
    run: &str,
    state: &str,
    returns: u32,
    lent: u32,
    out: u32,
    error: u32,
) -> Fallible<u32> {
    codec.push(returns + lent + out + error);
    Ok(codec.iter().sum())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(count("alice", "a", 1, 2, 3, 4).await.unwrap(), 10);
    assert_eq!(count("alice", "b", 1, 2, 3, 4).await.unwrap(), 10);
    assert_eq!(count("alice", "a", 1, 2, 3, 4).await.unwrap(), 20);
}
