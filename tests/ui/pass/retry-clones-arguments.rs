//! Under `retry`, each attempt gets a clone of what was passed by value, also where it is `mut` or
//! taken apart.
use std::cell::Cell;

use cogency_state::{Error, robust};

#[derive(Clone)]
struct Query {
    text: String,
    words: Vec<String>,
}

#[robust(persist = "memory", retry = 3, backoff = "1ms")]
async fn ask(
    state: &mut u32,
    user_id: String,
    mut query: String,
    (first, mut second): (String, String),
    Query { text, mut words }: Query,
    ref lent: Vec<u8>,
    _: Vec<u8>,
    attempts: &Cell<u32>,
    mut rest: &str,
) -> Result<(), Error> {
    attempts.set(attempts.get() + 1);
    query.push('!');
    second.push('!');
    words.push(text);
    rest = &rest[1..];
    assert_eq!((query.as_str(), second.as_str(), words.len()), ("query!", "second!", 1));
    assert_eq!((rest, lent.len()), ("est", 1));
    drop((user_id, query, first, second, words));
    *state += 1;
    if attempts.get() < 3 { Err(Error::NoRuntime) } else { Ok(()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pair = ("first".to_owned(), "second".to_owned());
    let query = Query { text: "text".to_owned(), words: Vec::new() };
    let attempts = Cell::new(0);
    let ask = ask("alice".into(), "query".into(), pair, query, vec![1], vec![], &attempts, "rest");
    ask.await.unwrap();
    assert_eq!(attempts.get(), 3);
}
