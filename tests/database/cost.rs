//! What a history costs a call:
//! ```text
//! cargo test --release -p cogency-state-tests --test database what_a_history_costs -- --ignored --nocapture
//! ```

use std::time::{Duration, Instant};

use cogency_state::{StateKey, StateManager};

use crate::key;
use crate::places::Database;

const ROUNDS: usize = 300;

async fn call(manager: &StateManager, key: &StateKey, bytes: usize) -> Duration {
    let begun = Instant::now();
    let mut call = manager.begin::<Vec<String>>(key).await.unwrap();
    if call.state.is_empty() {
        call.state.push("x".repeat(bytes));
    }
    call.state.push("hello ".repeat(30));
    if call.state.len() > 20 {
        call.state.drain(1..11);
    }
    call.commit().await.unwrap();
    begun.elapsed()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn what_a_history_costs() {
    for database in Database::each() {
        let with = StateManager::new(database.connect().await);
        let without =
            StateManager::new(database.builder().without_history().connect().await.unwrap());
        for bytes in [500, 64 << 10, 1 << 20] {
            let rounds = if bytes > 100_000 { ROUNDS / 5 } else { ROUNDS };
            let mut times = [Vec::new(), Vec::new()];
            // In turns, so that both meet the same machine.
            for _ in 0..rounds {
                for (manager, times) in [&without, &with].into_iter().zip(&mut times) {
                    let user = format!("{bytes}-{}", manager.backend().capabilities().history);
                    times.push(call(manager, &key(&user), bytes).await);
                }
            }
            let [without, with] = times.map(|mut times| {
                times.sort_unstable();
                times[times.len() / 2]
            });
            let ratio = with.as_secs_f64() / without.as_secs_f64();
            println!("{} {bytes}: {without:?} -> {with:?} ({ratio:.2})", database.name);
        }
    }
}
