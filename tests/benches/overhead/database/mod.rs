//! The database backend against what one writes by hand with sqlx: `SELECT` and an update that
//! compares the version, of bytes, with the same durability.
//!
//! The floor holds its connections, so that no pool looks whether they are there, as the backend
//! does. It has no lease, no checksum, no typed columns, no JSON, and does not recognize a save of
//! its own whose answer was lost.

mod floor;

use std::sync::Arc;

use cogency_state::{DatabaseBackend, DatabaseBackendBuilder, StateManager};
use cogency_state_tests::database::DatabaseServer;
use criterion::Criterion;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::floor::{Floor, MariaDb, Postgres, Sqlite};
use crate::chat::Chat;
use crate::many::{KEYS, key, on_all_keys};
use crate::pairs::Pairs;
use crate::{Size, call, prepare};

/// A way in which a manager may be set up.
struct Setting {
    name: &'static str,
    set: fn(DatabaseBackendBuilder) -> DatabaseBackendBuilder,
}

const SETTINGS: [Setting; 2] = [
    Setting { name: ", audit on", set: |builder| builder },
    Setting { name: ", audit off", set: DatabaseBackendBuilder::without_history },
];

pub(crate) fn all_pairs(criterion: &mut Criterion, runtime: &Runtime, size: Size) -> Vec<Pairs> {
    // Below the target folder: a temporary folder may be in memory, where a sync costs nothing.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let url = |name| format!("sqlite:{}", folder.path().join(name).display());
    let sqlite = runtime.block_on(Sqlite::new(&url("floor.db")));
    let mut pairs = of_floor(criterion, runtime, size, sqlite, &url("call.db"));
    for (is_postgres, server) in
        [(true, DatabaseServer::postgres()), (false, DatabaseServer::mariadb())]
    {
        let url = server.url();
        pairs.extend(if is_postgres {
            let floor = runtime.block_on(Postgres::new(&url));
            of_floor(criterion, runtime, size, floor, &url)
        } else {
            let floor = runtime.block_on(MariaDb::new(&url));
            of_floor(criterion, runtime, size, floor, &url)
        });
    }
    pairs
}

fn of_floor<F: Floor>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    size: Size,
    floor: F,
    url: &str,
) -> Vec<Pairs> {
    let (chat, floor) = (Chat::of_bytes(size.bytes), Arc::new(floor));
    runtime.block_on(async {
        for nth in 0..KEYS {
            floor.prepare(&key(nth), &chat).await;
        }
    });
    let mut pairs = Vec::new();
    for setting in SETTINGS {
        let builder = (setting.set)(DatabaseBackend::builder(url));
        let backend = runtime.block_on(builder.connect()).expect("connected");
        let manager = StateManager::new(backend);
        runtime.block_on(async {
            for nth in 0..KEYS {
                // The second time it is there already.
                let _ = prepare(&manager, &key(nth), &chat).await;
            }
        });
        let (floor, manager) = (&floor, &manager);
        pairs.push(Pairs::bench(
            criterion,
            runtime,
            format!("{}, {}{}", F::NAME, size.name, setting.name),
            async || floor.call(&key(0)).await,
            async || call(manager, &key(0)).await.expect("saved"),
        ));
        let many = Pairs::bench(
            criterion,
            runtime,
            format!("{}, {KEYS} x {}{}", F::NAME, size.name, setting.name),
            async || {
                on_all_keys(|key| {
                    let floor = Arc::clone(floor);
                    async move {
                        for _ in 0..size.turns {
                            floor.call(&key).await;
                        }
                    }
                })
                .await;
            },
            async || {
                on_all_keys(|key| {
                    let manager = manager.clone();
                    async move {
                        for _ in 0..size.turns {
                            call(&manager, &key).await.expect("saved");
                        }
                    }
                })
                .await;
            },
        );
        pairs.push(many.of_calls(KEYS * size.turns));
    }
    pairs
}
