//! The attribute under the strictest lints: that clippy is silent here is the test.

#![forbid(unsafe_code)]
#![deny(missing_docs, warnings, clippy::pedantic, clippy::nursery)]
#![allow(clippy::missing_errors_doc, reason = "a lint about these functions' documentation")]

use std::fmt::Display;
use std::sync::Arc;

use cogency_state::{Error, StateManager, robust};

/// One attempt.
#[robust(persist = "memory")]
pub async fn once(state: &mut Vec<String>, user_id: &str, query: String) -> Result<usize, Error> {
    state.push(query);
    Ok(state.len())
}

/// One expression as the body, and nothing used.
#[robust(persist = "memory", session = "unused")]
pub async fn unused(_state: &mut u32, user_id: String, _query: String) -> Result<(), Error> {
    std::future::ready(Ok(())).await
}

/// Several attempts, with all kinds of arguments.
#[robust(persist = "memory", session = session, retry = 3, backoff = "1ms", timeout = "1s")]
pub async fn again(
    state: &mut Vec<String>,
    user_id: String,
    session: &str,
    mut query: String,
    (left, mut right): (u32, u32),
    _unused: String,
    shown: impl Display + Clone,
) -> Result<usize, Error> {
    query.push('!');
    right += left;
    if right == 7 {
        return Ok(0);
    }
    state.push(format!("{query} {shown}"));
    Ok(state.len())
}

/// Without a state.
#[robust(retry = 2)]
pub async fn stateless(query: String, numbers: &[u8]) -> Result<String, Error> {
    std::future::ready(()).await;
    numbers.first().map(|_| query).ok_or(Error::NoRuntime)
}

/// Methods.
#[derive(Clone, Debug)]
pub struct Agent {
    id: Arc<str>,
    manager: StateManager,
}

impl Agent {
    /// A shared agent.
    #[robust(persist = self.manager, key = self.id, retry = 2)]
    pub async fn shared(&self, state: &mut u32) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }

    /// An agent that is used up.
    #[robust(persist = self.manager, key = self.id)]
    pub async fn used_up(self, state: &mut u32) -> Result<Self, Error> {
        *state += 1;
        Ok(self)
    }
}
