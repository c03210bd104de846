//! What an image of 5 MB costs a conversation of 100 turns on files: in the state, as base64, and
//! beside it, as a `Blob`.
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench media
//! ```
//!
//! Written is what was given to write calls, as the kernel counts it; a turn is the median of one call.

use std::time::{Duration, Instant};

use cogency_state::{Blob, FileBackend, StateManager, robust};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

const TURNS: usize = 100;
const LETTERS: usize = 600;
const IMAGE: usize = 5_000_000;

#[derive(Default, Serialize, Deserialize)]
struct Chat<I> {
    turns: Vec<String>,
    image: Option<I>,
}

#[robust(persist = manager)]
async fn call<I>(
    state: &mut Chat<I>,
    manager: &StateManager,
    user_id: &str,
    image: Option<I>,
) -> Result<(), cogency_state::Error>
where
    I: Serialize + DeserializeOwned + Default + Send + 'static,
{
    state.turns.push((0..LETTERS).map(|_| fastrand::lowercase()).collect());
    if image.is_some() {
        state.image = image;
    }
    Ok(())
}

/// The turns, the first of which shows the image.
async fn all<I>(manager: StateManager, image: I) -> Duration
where
    I: Serialize + DeserializeOwned + Default + Send + 'static,
{
    let (mut image, mut times) = (Some(image), Vec::new());
    for _ in 0..TURNS {
        let started = Instant::now();
        call(&manager, "alice", image.take()).await.expect("saved");
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times[TURNS / 2]
}

/// What this process gave to write calls until now.
fn given_to_writes() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = told.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("a count");
    line.parse().expect("a number")
}

fn measure<I>(name: &str, image: I)
where
    I: Serialize + DeserializeOwned + Default + Send + 'static,
{
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    // As a program: what is written behind the last save is written at its end.
    let runtime = Runtime::new().expect("a runtime");
    let before = given_to_writes();
    let turn = runtime.block_on(all(StateManager::new(FileBackend::new(folder.path())), image));
    drop(runtime);
    let written = (given_to_writes() - before) / 1000;
    println!("{name:<24} written {written:>7} KB   a turn {turn:.1?}");
}

fn main() {
    let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(IMAGE).collect();
    // As long as its base64, and as hard to find changes in.
    let text: String = (0..IMAGE.div_ceil(3) * 4).map(|_| fastrand::alphanumeric()).collect();
    measure("in the state, as base64", text);
    measure("beside it, as a Blob", MaybeBlob(Some(Blob::new(bytes))));
    measure("no image", String::new());
}

/// What has a default.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
struct MaybeBlob(Option<Blob>);
