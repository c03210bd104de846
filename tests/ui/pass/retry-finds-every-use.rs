//! Under `retry`, an argument is cloned wherever it is used: in texts, ranges, short struct fields.
#![deny(warnings)]
use std::cell::Cell;

use cogency_state::{Error, robust};

#[derive(Clone, Debug, PartialEq)]
struct Words {
    first: String,
    rest: Vec<String>,
}

fn again(left: &Cell<u32>) -> Result<(), Error> {
    left.set(left.get().saturating_sub(1));
    if left.get() > 0 { Err(Error::NoRuntime) } else { Ok(()) }
}

#[robust(retry = 2, backoff = "1ms")]
async fn keyword(r#type: String, left: &Cell<u32>) -> Result<String, Error> {
    again(left)?;
    Ok({
        let text = format!("{type}");
        drop(r#type);
        text
    })
}

#[robust(retry = 2, backoff = "1ms")]
async fn moved_keyword(r#match: String, left: &Cell<u32>) -> Result<String, Error> {
    let text = move || format!("{match}");
    again(left)?;
    Ok(text())
}

#[robust(retry = 2, backoff = "1ms")]
async fn needlessly_raw(r#query: String, left: &Cell<u32>) -> Result<usize, Error> {
    let text = query;
    again(left)?;
    Ok(text.len())
}

#[robust(retry = 2, backoff = "1ms")]
async fn escaped(query: String, left: &Cell<u32>) -> Result<String, Error> {
    let text = move || format!("{que\u{72}y}");
    again(left)?;
    Ok(text())
}

#[robust(retry = 2, backoff = "1ms")]
async fn update(words: Words, left: &Cell<u32>) -> Result<Words, Error> {
    let words = Words { first: "bye".to_owned(), ..words };
    again(left)?;
    Ok(words)
}

#[robust(retry = 2, backoff = "1ms")]
async fn short(first: String, rest: Vec<String>, left: &Cell<u32>) -> Result<Words, Error> {
    let words = Words { first, rest: rest };
    again(left)?;
    Ok(words)
}

#[robust(retry = 2, backoff = "1ms")]
async fn range(mut end: u32, left: &Cell<u32>) -> Result<u32, Error> {
    let sum = (0..end).sum::<u32>() + (0..=end).sum::<u32>();
    end += sum;
    again(left)?;
    Ok(end)
}

#[robust(retry = 2, backoff = "1ms")]
async fn in_a_macro(query: String, left: &Cell<u32>) -> Result<usize, Error> {
    macro_rules! length {
        (.$text:ident) => {{
            let text = $text;
            text.len()
        }};
    }
    let length = length!(.query);
    again(left)?;
    Ok(length)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let left = || Cell::new(2);
    assert_eq!(keyword("a".into(), &left()).await.unwrap(), "a");
    assert_eq!(moved_keyword("a".into(), &left()).await.unwrap(), "a");
    assert_eq!(needlessly_raw("four".into(), &left()).await.unwrap(), 4);
    assert_eq!(escaped("a".into(), &left()).await.unwrap(), "a");
    let words = Words { first: "hi".into(), rest: vec!["you".into()] };
    assert_eq!(update(words.clone(), &left()).await.unwrap().first, "bye");
    assert_eq!(short("hi".into(), words.rest.clone(), &left()).await.unwrap(), words);
    assert_eq!(range(3, &left()).await.unwrap(), 12);
    assert_eq!(in_a_macro("four".into(), &left()).await.unwrap(), 4);
}
