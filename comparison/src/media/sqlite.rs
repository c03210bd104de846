//! A SQLite file, in write-ahead mode with every commit on the disk.

use std::path::Path;
use std::sync::Arc;

use cogency_state::DatabaseBackend;
use tower_sessions_sqlx_store::SqliteStore;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};

use super::{Medium, Place, backend, bytes_in, given_to_writes, make};
use crate::contestant::{Contestant, Guarantees, Kind, Outcome, POWER_CUT};
use crate::floors::sql::{Also, ChangeSql, Sql, SqliteChanges, SqliteRows};
use crate::floors::together::Together;
use crate::ours::Ours;
use crate::peers::tower_sessions::Sessions;
use crate::servers::database::SqliteFile;

const FLOOR: &str = "upsert with version";

pub(super) static SQLITE: Medium = Medium {
    name: "SQLite",
    id: "sqlite",
    floor: FLOOR,
    contestants: &CONTESTANTS,
    writers: &[],
    open,
    backend: backend!(|at| DatabaseBackend::connect(&format!("sqlite:{at}-backend")).await?),
};

const ROW: Sql = Sql {
    tables: "CREATE TABLE floor (id TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL)",
    first: "INSERT INTO floor VALUES ($1, 0, $2)",
    load: "SELECT version, data FROM floor WHERE id = $1",
    save: "UPDATE floor SET version = $1, data = $2 WHERE id = $3 AND version = $4",
    also: None,
};
const WITH_HISTORY: Sql = Sql {
    tables: "CREATE TABLE floor (id TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL); \
             CREATE TABLE versions (id TEXT, version INTEGER, data BLOB, PRIMARY KEY (id, version))",
    also: Some(Also {
        begin: "BEGIN IMMEDIATE",
        row: "INSERT INTO versions (version, data, id) VALUES ($1, $2, $3)",
    }),
    ..ROW
};
const CHANGES: ChangeSql = ChangeSql {
    tables: "CREATE TABLE changes (id TEXT, version INTEGER, data BLOB, PRIMARY KEY (id, version))",
    load: "SELECT max(version) FROM changes WHERE id = $1",
    save: "INSERT INTO changes VALUES ($1, $2, $3)",
};

static CONTESTANTS: [Contestant; 7] = [
    Contestant {
        name: FLOOR,
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT),
        make: make!(|at| SqliteRows::at(&format!("sqlite:{at}-rows"), ROW).await?),
    },
    Contestant {
        name: "upsert and every version whole",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT).history("all versions"),
        make: make!(|at| SqliteRows::at(&format!("sqlite:{at}-whole"), WITH_HISTORY).await?),
    },
    Contestant {
        name: "a row of the change",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT).history("all versions"),
        make: make!(|at| SqliteChanges::at(&format!("sqlite:{at}-changes"), CHANGES).await?),
    },
    Contestant {
        name: "upsert, shared commit",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT),
        make: make!(|at| Together::in_file(&format!("{at}-together"))?),
    },
    Contestant {
        name: "cogency-state",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("all versions", POWER_CUT),
        make: make!(|at| {
            Ours::over(DatabaseBackend::connect(&format!("sqlite:{at}-ours")).await?)
        }),
    },
    Contestant {
        name: "cogency-state, no history",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("none", POWER_CUT),
        make: make!(|at| {
            let url = format!("sqlite:{at}-bare?history=off");
            Ours::over(DatabaseBackend::connect(&url).await?)
        }),
    },
    Contestant {
        name: "tower-sessions",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE.survives(POWER_CUT),
        make: make!(|at| sessions(&format!("{at}-sessions")).await?),
    },
];

/// With the same durability as all others: its documentation leaves that to the pool.
async fn sessions(path: &str) -> Outcome<Sessions<SqliteStore>> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options.synchronous(SqliteSynchronous::Full)).await?;
    let store = SqliteStore::new(pool);
    store.migrate().await?;
    Ok(Sessions::in_store(store))
}

/// Each contestant has a file of its own, beside this one.
fn open() -> Place {
    let file = Arc::new(SqliteFile::default());
    let at = file.path().to_string_lossy().into_owned();
    let kept = Arc::clone(&file);
    Place {
        at,
        about: format!("SQLite {}, WAL, synchronous=FULL", rusqlite::version()),
        written: Some(Box::new(given_to_writes)),
        stored: Some(Box::new(move || stored(file.folder()))),
        compact: None,
        kept: Box::new(kept),
    }
}

/// The files without their write-ahead logs.
fn stored(folder: &Path) -> Outcome<u64> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if !name.ends_with("-wal") && !name.ends_with("-shm") {
            let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
            rusqlite::Connection::open(&path)?.query_row(truncate, [], |_| Ok(()))?;
        }
    }
    bytes_in(folder)
}
