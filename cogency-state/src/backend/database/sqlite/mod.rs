//! SQLite: scripts are statements in one string.
//!
//! One thread writes to a file, with a connection of its own (`writer`); all else is sqlx's.
//!
//! The file has a write-ahead log. What a save commits is synced (`synchronous = FULL`); a lease is
//! not (`NORMAL`), and costs no wait for the disk. It goes to the same log, so the next save takes
//! it along.

mod file;
mod query;
mod statements;
mod writer;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use sqlx::Sqlite;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteConnectOptions;

use super::dialect::{Dialect, Migrating, Migration, Script, Transaction, Ways, Writer};
use super::problem::Meaning;
use super::queries::sql::QuerySql;

pub(super) use self::file::{location, options};
use self::writer::FileWriter;

impl Dialect for Sqlite {
    const TRANSACTION: Option<Transaction> = Some(Transaction {
        durable: Ways { begin: "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", commit: "COMMIT" },
        passing: Ways {
            begin: "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            commit: "COMMIT; PRAGMA synchronous = FULL",
        },
    });

    const MIGRATING: Migrating = Migrating {
        migrations: &[
            Migration {
                version: 1,
                about: "states and leases",
                sql: include_str!("migrations/0001_states_and_leases.sql"),
            },
            Migration {
                version: 2,
                about: "history",
                sql: include_str!("migrations/0002_history.sql"),
            },
            Migration {
                version: 3,
                about: "states that were set aside",
                sql: include_str!("migrations/0003_aside.sql"),
            },
            Migration {
                version: 4,
                about: "indexes for queries",
                sql: include_str!("migrations/0004_query_indexes.sql"),
            },
            Migration {
                version: 5,
                about: "large states are apart",
                sql: include_str!("migrations/0005_apart.sql"),
            },
            Migration {
                version: 6,
                about: "blobs",
                sql: include_str!("migrations/0006_blobs.sql"),
            },
        ],
        begin: include_str!("migrations/begin.sql"),
        table: include_str!("migrations/table.sql"),
        commit: "COMMIT",
    };

    const QUERIES: &'static dyn QuerySql = &query::Queries;

    fn sql(script: Script) -> &'static str {
        match script {
            Script::Take => include_str!("take.sql"),
            Script::Renew => include_str!("renew.sql"),
            Script::Release => include_str!("release.sql"),
            Script::Save => concat!(include_str!("save.sql"), include_str!("enter.sql")),
            Script::Create => concat!(include_str!("create.sql"), include_str!("enter.sql")),
            Script::Delete => include_str!("delete.sql"),
            Script::Load => include_str!("load.sql"),
            Script::List => include_str!("list.sql"),
            Script::ListAll => include_str!("list_all.sql"),
            Script::RemoveExpired => include_str!("remove_expired.sql"),
            Script::IsDurable => include_str!("is_durable.sql"),
            Script::HistoryHead => include_str!("history/head.sql"),
            Script::HistoryKeys => include_str!("history/keys.sql"),
            Script::HistoryList => include_str!("history/list.sql"),
            Script::HistoryRows => include_str!("history/rows.sql"),
            Script::HistoryOfVersion => include_str!("history/of_version.sql"),
            Script::HistoryOfTime => include_str!("history/of_time.sql"),
            Script::HistoryOfRank => include_str!("history/of_rank.sql"),
            Script::HistoryKeyframe => include_str!("history/keyframe.sql"),
            Script::HistoryPrune => include_str!("history/prune.sql"),
            Script::HistoryForget => include_str!("history/forget.sql"),
            Script::SetAside => include_str!("set_aside.sql"),
            Script::ListAside => include_str!("list_aside.sql"),
            Script::ListAsideOf => include_str!("list_aside_of.sql"),
            Script::LoadAside => include_str!("load_aside.sql"),
            Script::RestoreAside => include_str!("restore_aside.sql"),
            Script::DropAside => include_str!("drop_aside.sql"),
            Script::SaveBlob => include_str!("save_blob.sql"),
            Script::LoadBlob => include_str!("load_blob.sql"),
            Script::ListBlobs => include_str!("list_blobs.sql"),
            Script::RemoveBlob => include_str!("remove_blob.sql"),
            Script::StrayBlobs => include_str!("stray_blobs.sql"),
        }
    }

    fn writer(
        options: &SqliteConnectOptions,
        bodies: &HashMap<Script, Arc<str>>,
    ) -> Option<Box<dyn Writer>> {
        Some(Box::new(FileWriter::new(options.get_filename().to_owned(), bodies)))
    }

    fn prepare(options: &SqliteConnectOptions) -> io::Result<()> {
        file::make(options.get_filename())
    }

    fn meaning(error: &dyn DatabaseError) -> Meaning {
        const BUSY: i32 = 5;
        const LOCKED: i32 = 6;
        const IO: i32 = 10;
        const FULL: i32 = 13;
        // What all processes share of the log, `-shm`, could not be made longer.
        const IO_SHMSIZE: i32 = IO | (19 << 8);
        let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
        // The lower byte is the kind, what is above tells more.
        match code & 0xff {
            BUSY | LOCKED => Meaning::Passing,
            FULL => Meaning::Refused("its disk is full"),
            IO if code == IO_SHMSIZE => Meaning::Refused("its disk is full"),
            IO => Meaning::Ending,
            1 if error.message().contains("no such table") => Meaning::NoTable,
            8 => {
                Meaning::Refused("its file is read-only: look at its permissions and its folder's")
            }
            11 => Meaning::Refused("its file is damaged: restore it from a backup"),
            14 => Meaning::Refused(
                "its file, or the log that has to stand beside it, cannot be opened for writing: \
                 look at the path, the permissions and the disk",
            ),
            26 => Meaning::Refused("its file is not one of SQLite's: look at the path"),
            _ => Meaning::Refused("look at the file"),
        }
    }
}
