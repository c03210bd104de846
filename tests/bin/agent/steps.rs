//! Calls that last as long as the tests want.

use std::io::{self, BufRead as _, Read as _};

use cogency_state::StateKey;
use cogency_state_tests::page::Page;
use tokio::task::spawn_blocking;

use crate::{Ended, open, tell};

pub(crate) async fn hold(root: &str, user: &str) -> Ended {
    let call = open(root)?.begin::<Page>(&StateKey::for_user(user)?).await?;
    println!("held");
    spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    call.rollback().await;
    Ok(())
}

/// Each call says `held`, waits for a line, and is saved; why it was not is told in a line `error`
/// before the one that says that it failed.
pub(crate) async fn step(root: &str, user: &str) -> Ended {
    let (manager, key) = (open(root)?, StateKey::for_user(user)?);
    loop {
        let mut call = manager.begin::<Page>(&key).await?;
        println!("held");
        if spawn_blocking(|| io::stdin().lock().read_line(&mut String::new())).await?? == 0 {
            call.rollback().await;
            return Ok(());
        }
        call.state.turn();
        let about = format!("{} {user} {root}", call.state.number);
        println!("begin {about}");
        let saved = call.commit().await;
        if let Err(error) = &saved {
            println!("error {error}");
        }
        tell(&saved, &about);
    }
}
