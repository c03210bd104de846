//! Calls of two LLMs in turn, each of which sets the other's state aside.

use std::sync::Arc;

use cogency_state::{StateKey, StateManagerBuilder};

use crate::{Ended, open, tell};

/// Each LLM's state is the list of its numbers, which the lines name as `user`.
pub(crate) async fn change(root: &str, user: &str, llms: &[&str]) -> Ended {
    let (backend, key) = (Arc::clone(open(root)?.backend()), StateKey::for_user(user)?);
    loop {
        for llm in llms {
            let manager = StateManagerBuilder::over(Arc::clone(&backend)).llm(*llm).build();
            let mut call = manager.begin::<Vec<u64>>(&key).await?;
            let number = call.state.len() as u64 + 1;
            call.state.push(number);
            let about = format!("{number} {llm} {root}");
            println!("begin {about}");
            tell(&call.commit().await, &about);
        }
    }
}
