//! What `#[robust]` costs over the tightest hand-written code, side by side in one run.
//!
//! One call loads the state, appends a message of 200 bytes, drops the oldest, and saves. The
//! floor does the same by hand with the same durability, but has no lease, no version, no
//! checksum, no fencing, and does not prove that what it wrote can be read.
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench overhead
//! cargo bench -p cogency-state-tests --bench overhead -- redis
//! cargo bench -p cogency-state-tests --bench overhead -- --sample-size 20 'sqlite|postgres|mariadb'
//! ```
//!
//! Floor and call alternate, so that both see the same machine. The last lines show the medians
//! and the ratio.

mod chat;
mod database;
mod file;
mod many;
mod memory;
mod pairs;
mod redis;

use cogency_state::{Error, StateKey, StateManager, robust};
use criterion::Criterion;
use tokio::runtime::Runtime;

use self::chat::Chat;

#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    bytes: usize,
    /// How often each of many keys is worked on for one time of a database.
    turns: u32,
}

const SIZES: [Size; 3] = [
    Size { name: "1 KB", bytes: 1 << 10, turns: 8 },
    Size { name: "64 KB", bytes: 64 << 10, turns: 4 },
    Size { name: "1 MB", bytes: 1 << 20, turns: 1 },
];

#[robust(persist = manager)]
async fn call(state: &mut Chat, manager: &StateManager, user_id: &str) -> Result<(), Error> {
    state.turn();
    Ok(())
}

async fn prepare(manager: &StateManager, user_id: &str, chat: &Chat) -> Result<(), Error> {
    manager.save_state(&StateKey::for_user(user_id)?, chat.clone(), None).await?;
    Ok(())
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Runtime::new().expect("a runtime");
    let mut pairs = Vec::new();
    pairs.extend(SIZES.map(|size| memory::pairs(&mut criterion, &runtime, size)));
    pairs.extend(
        SIZES.map(|size| file::all_pairs(&mut criterion, &runtime, size)).into_iter().flatten(),
    );
    pairs.extend(
        SIZES.map(|size| redis::all_pairs(&mut criterion, &runtime, size)).into_iter().flatten(),
    );
    pairs.extend(
        SIZES.map(|size| database::all_pairs(&mut criterion, &runtime, size)).into_iter().flatten(),
    );
    criterion.final_summary();
    println!("\nmedians");
    pairs.into_iter().for_each(pairs::Pairs::print);
}
