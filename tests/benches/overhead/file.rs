//! The file backend against a folder for a key: temp file, fdatasync, rename, fsync of the folder.

use std::fs::{File, rename};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cogency_state::{FileBackend, StateManager};
use criterion::Criterion;
use tokio::runtime::Runtime;

use crate::chat::Chat;
use crate::many::{KEYS, key, on_all_keys};
use crate::pairs::Pairs;
use crate::{Size, call, prepare};

struct Floor(Arc<PathBuf>);

impl Floor {
    fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        Self(Arc::new(folder.to_owned()))
    }

    async fn save(&self, chat: &Chat) {
        let json = serde_json::to_vec(chat).expect("a chat is JSON");
        let folder = Arc::clone(&self.0);
        let save = tokio::task::spawn_blocking(move || save(&folder, &json));
        save.await.expect("no panic").expect("saved");
    }

    async fn call(&self) {
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

/// One key at a time, and many at once, each in a folder of its own.
pub(crate) fn all_pairs(criterion: &mut Criterion, runtime: &Runtime, size: Size) -> [Pairs; 2] {
    [pairs(criterion, runtime, size), many(criterion, runtime, size)]
}

fn many(criterion: &mut Criterion, runtime: &Runtime, size: Size) -> Pairs {
    let chat = Chat::of_bytes(size.bytes);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let floors = folder.path().join("floor");
    let manager = StateManager::new(FileBackend::new(folder.path().join("robust")));
    runtime.block_on(async {
        for nth in 0..KEYS {
            let key = key(nth);
            Floor::new(&floors.join(&key)).save(&chat).await;
            prepare(&manager, &key, &chat).await.expect("prepared");
        }
    });
    let turns = size.turns;
    let floor = |key: String| {
        let floor = Floor::new(&floors.join(key));
        async move {
            for _ in 0..turns {
                floor.call().await;
            }
        }
    };
    let robust = |key: String| {
        let manager = manager.clone();
        async move {
            for _ in 0..turns {
                call(&manager, black_box(&key)).await.expect("saved");
            }
        }
    };
    Pairs::bench(
        criterion,
        runtime,
        format!("file, {KEYS} keys, {}", size.name),
        async || on_all_keys(floor).await,
        async || on_all_keys(robust).await,
    )
    .of_calls(KEYS * turns)
}

fn pairs(criterion: &mut Criterion, runtime: &Runtime, size: Size) -> Pairs {
    let chat = Chat::of_bytes(size.bytes);
    // Below the target folder: a temporary folder may be in memory, where a sync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let floor = Floor::new(&folder.path().join("floor/alice"));
    runtime.block_on(floor.save(&chat));
    let manager = StateManager::new(FileBackend::new(folder.path().join("robust")));
    runtime.block_on(prepare(&manager, "alice", &chat)).expect("prepared");
    Pairs::bench(
        criterion,
        runtime,
        format!("file, {}", size.name),
        async || floor.call().await,
        async || call(&manager, black_box("alice")).await.expect("saved"),
    )
}
