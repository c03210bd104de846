//! Under `retry`, a name that is only alike does not clone an argument: the key alone uses it here,
//! and it cannot be cloned.
#![deny(warnings)]
use std::fmt;

use cogency_state::{Error, robust};

struct Id(&'static str);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

struct Query {
    query: &'static str,
}

impl Query {
    fn query(&self) -> &'static str {
        self.query
    }
}

mod module {
    pub fn query(query: &str) -> usize {
        query.len()
    }
}

#[robust(persist = "memory", key = query, retry = 2)]
async fn fields(state: &mut u32, query: Id, other: &Query) -> Result<usize, Error> {
    *state += 1;
    let copy = Query { query: other.query };
    let text = 'query: {
        if copy.query().is_empty() {
            break 'query "query";
        }
        copy.query
    };
    Ok(module::query(text))
}

// Whether the macro uses the variable cannot be known: it is cloned, and that is no warning.
#[robust(persist = "memory", key = query, retry = 2)]
async fn in_a_macro(state: &mut u32, query: String, other: &Query) -> Result<String, Error> {
    *state += 1;
    Ok(format!("{}", other.query))
}

#[robust(persist = "memory", session = query, retry = 2)]
async fn shadowed(state: &mut u32, user_id: String, query: String) -> Result<&'static str, Error> {
    *state += 1;
    let (user_id, query) = ("alice", "hello");
    Ok(if user_id.is_empty() { user_id } else { query })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let other = Query { query: "hello" };
    assert_eq!(fields(Id("alice"), &other).await.unwrap(), 5);
    assert_eq!(in_a_macro("alice".into(), &other).await.unwrap(), "hello");
    assert_eq!(shadowed("bob".into(), "holidays".into()).await.unwrap(), "hello");
}
