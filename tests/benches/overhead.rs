//! What `#[robust]` costs over the tightest hand-written code, side by side in one run.
//!
//! One call loads the state, appends a message of 200 bytes, drops the oldest, and saves. The
//! floor does the same by hand with the same durability, but has no lease, no version, no
//! checksum, no fencing, and does not prove that what it wrote can be read.
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench overhead
//! ```
//!
//! Floor and call alternate, so that both see the same machine. The last lines show the medians
//! and the ratio.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cogency_state::{Error, FileBackend, MemoryBackend, StateManager, robust};
use criterion::Criterion;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Chat {
    messages: Vec<Message>,
    turns: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Message {
    role: String,
    content: String,
}

impl Chat {
    fn of_bytes(bytes: usize) -> Self {
        let messages = (0..bytes / 232).map(|_| Message::new()).collect();
        Self { messages, turns: 0 }
    }

    fn turn(&mut self) {
        self.turns += 1;
        self.messages.remove(0);
        self.messages.push(Message::new());
    }
}

impl Message {
    fn new() -> Self {
        Self {
            role: "user".into(),
            content: "All happy families are alike. ".repeat(7)[..200].into(),
        }
    }
}

#[robust(persist = manager)]
async fn call(state: &mut Chat, manager: &StateManager, user_id: &str) -> Result<(), Error> {
    state.turn();
    Ok(())
}

mod floor {
    use std::collections::HashMap;
    use std::fs::{File, rename};
    use std::io::{self, Write as _};
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::{Arc, Chat, Path};

    /// A map of bytes.
    #[derive(Default)]
    pub(super) struct Memory(Mutex<HashMap<String, Vec<u8>>>);

    impl Memory {
        pub(super) fn save(&self, key: &str, chat: &Chat) {
            let json = serde_json::to_vec(chat).expect("a chat is JSON");
            self.0.lock().expect("not poisoned").insert(key.to_owned(), json);
        }

        pub(super) fn call(&self, key: &str) {
            let json = self.0.lock().expect("not poisoned").get(key).cloned();
            let mut chat: Chat = json.map_or_else(Chat::default, |json| {
                serde_json::from_slice(&json).expect("saved by us")
            });
            chat.turn();
            self.save(key, &chat);
        }
    }

    /// A folder for a key: temp file, fdatasync, rename, fsync of the folder.
    pub(super) struct Files(Arc<PathBuf>);

    impl Files {
        pub(super) fn new(folder: &Path) -> Self {
            std::fs::create_dir_all(folder).expect("a folder");
            Self(Arc::new(folder.to_owned()))
        }

        pub(super) async fn save(&self, chat: &Chat) {
            let json = serde_json::to_vec(chat).expect("a chat is JSON");
            let folder = Arc::clone(&self.0);
            let save = tokio::task::spawn_blocking(move || save(&folder, &json));
            save.await.expect("no panic").expect("saved");
        }

        pub(super) async fn call(&self) {
            let file = self.0.join("state.json");
            let load = tokio::task::spawn_blocking(move || std::fs::read(file));
            let json = load.await.expect("no panic").expect("loaded");
            let mut chat: Chat = serde_json::from_slice(&json).expect("saved by us");
            chat.turn();
            self.save(&chat).await;
        }
    }

    fn save(folder: &Path, json: &[u8]) -> io::Result<()> {
        let temp = folder.join("temp");
        let mut file = File::create(&temp)?;
        file.write_all(json)?;
        file.sync_data()?;
        rename(temp, folder.join("state.json"))?;
        File::open(folder)?.sync_all()
    }
}

/// Times one pair after the other and shows the medians.
struct Pairs {
    name: String,
    floor: Vec<Duration>,
    call: Vec<Duration>,
}

impl Pairs {
    fn bench(
        criterion: &mut Criterion,
        runtime: &Runtime,
        name: String,
        mut floor: impl AsyncFnMut(),
        mut call: impl AsyncFnMut(),
    ) -> Self {
        let mut pairs = Self { name, floor: Vec::new(), call: Vec::new() };
        criterion.bench_function(&pairs.name.clone(), |bencher| {
            bencher.iter_custom(|rounds| {
                // All rounds in one task, as in a program.
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..rounds {
                        pairs.floor.push(time(&mut floor).await);
                        let took = time(&mut call).await;
                        pairs.call.push(took);
                        total += took;
                    }
                    total
                })
            });
        });
        pairs
    }

    fn print(mut self) {
        let (floor, call) = (median(&mut self.floor), median(&mut self.call));
        let ratio = call.as_secs_f64() / floor.as_secs_f64();
        let (name, over) = (self.name, call.saturating_sub(floor));
        println!(
            "{name:<24} floor {floor:>10.2?}   call {call:>10.2?}   {ratio:.3} x   + {over:.2?}"
        );
    }
}

async fn time(act: &mut impl AsyncFnMut()) -> Duration {
    let start = Instant::now();
    act().await;
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

const SIZES: [(&str, usize); 3] = [("1 KB", 1 << 10), ("64 KB", 64 << 10), ("1 MB", 1 << 20)];

async fn prepare(manager: &StateManager, chat: &Chat) -> Result<(), Error> {
    manager.save_state(&cogency_state::StateKey::for_user("alice")?, chat.clone(), None).await?;
    Ok(())
}

fn on_memory(criterion: &mut Criterion, runtime: &Runtime, size: (&str, usize)) -> Pairs {
    let chat = Chat::of_bytes(size.1);
    let floor = floor::Memory::default();
    floor.save("alice", &chat);
    let manager = StateManager::new(MemoryBackend::new());
    runtime.block_on(prepare(&manager, &chat)).expect("prepared");
    Pairs::bench(
        criterion,
        runtime,
        format!("memory, {}", size.0),
        async || floor.call(black_box("alice")),
        async || call(&manager, black_box("alice")).await.expect("saved"),
    )
}

fn on_file(criterion: &mut Criterion, runtime: &Runtime, size: (&str, usize)) -> Pairs {
    let chat = Chat::of_bytes(size.1);
    // Below the target folder: a temporary folder may be in memory, where a sync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let floor = floor::Files::new(&folder.path().join("floor/alice"));
    runtime.block_on(floor.save(&chat));
    let manager = StateManager::new(FileBackend::new(folder.path().join("robust")));
    runtime.block_on(prepare(&manager, &chat)).expect("prepared");
    Pairs::bench(
        criterion,
        runtime,
        format!("file, {}", size.0),
        async || floor.call().await,
        async || call(&manager, black_box("alice")).await.expect("saved"),
    )
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Runtime::new().expect("a runtime");
    let mut pairs = Vec::new();
    for size in SIZES {
        pairs.push(on_memory(&mut criterion, &runtime, size));
    }
    for size in SIZES {
        pairs.push(on_file(&mut criterion, &runtime, size));
    }
    criterion.final_summary();
    println!("\nmedians");
    pairs.into_iter().for_each(Pairs::print);
}
