//! The key's default is whatever parameter binds `user_id`: of any type that can be shown, in a
//! pattern, by value; and `key` and `session` take any expression.
#![deny(warnings)]
use cogency_state::{Error, robust};

#[derive(Clone)]
struct Request {
    user_id: u64,
    text: String,
}

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn in_a_pattern(
    state: &mut u32,
    Request { user_id, text }: Request,
) -> Result<u32, Error> {
    *state += u32::try_from(text.len()).map_err(|_| Error::NoRuntime)?;
    Ok(*state)
}

/// The body uses neither `user_id` nor `session`: the key does.
#[robust(persist = "memory", session = session.unwrap_or("none"), retry = 2)]
async fn by_value(state: &mut u32, user_id: String, session: Option<&str>) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "memory", key = request.user_id, session = { let s = "a"; s.to_owned() + "b" })]
async fn expressions(state: &mut u32, request: &Request) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let request = Request { user_id: 7, text: "text".to_owned() };
    assert_eq!(in_a_pattern(request.clone()).await?, 4);
    assert_eq!(by_value("7".to_owned(), None).await?, 1);
    assert_eq!(by_value("7".to_owned(), Some("default")).await?, 5);
    assert_eq!(expressions(&request).await?, 1);
    Ok(())
}
