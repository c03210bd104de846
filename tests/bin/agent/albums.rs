//! Calls whose states name blobs.

use cogency_state::{StateKey, StateManager};
use cogency_state_tests::album::Album;

use crate::{Ended, manager, open, tell};

pub(crate) async fn show(root: &str, user: &str, calls: u64) -> Ended {
    let manager = open(root)?;
    for _ in 0..calls {
        show_one(&manager, root, user).await?;
    }
    Ok(())
}

async fn show_one(manager: &StateManager, root: &str, user: &str) -> Ended {
    let mut call = manager.begin::<Album>(&StateKey::for_user(user)?).await?;
    call.state.turn();
    let about = format!("{} {user} {root}", call.state.number);
    println!("begin {about}");
    let saved = call.commit().await;
    tell(&saved, &about);
    saved?;
    Ok(())
}

/// A look, with all that is named.
pub(crate) async fn look(root: &str, user: &str) -> Ended {
    let loaded = manager(root)?.load_state::<Album>(&StateKey::for_user(user)?).await?;
    let album = loaded.map(|loaded| loaded.state).unwrap_or_default();
    match album.is_whole().await {
        Ok(true) => println!("found {}", album.number),
        Ok(false) => println!("a mixture"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
