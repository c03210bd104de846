//! MariaDB: scripts are procedures.

mod query;

use sqlx::MySql;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use super::dialect::{Dialect, Migrating, Migration, Script};
use super::problem::{Meaning, Problem};
use super::queries::sql::QuerySql;

impl Dialect for MySql {
    /// Each change of a table commits by itself: what is held meanwhile is a lock with a name.
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
            Migration {
                version: 7,
                about: "leases in memory",
                sql: include_str!("migrations/0007_leases_in_memory.sql"),
            },
            Migration {
                version: 8,
                about: "fewer statements",
                sql: include_str!("migrations/0008_fewer_statements.sql"),
            },
        ],
        begin: include_str!("migrations/begin.sql"),
        table: include_str!("migrations/table.sql"),
        commit: include_str!("migrations/commit.sql"),
    };

    /// Its client would send a procedure only up to the first semicolon in it.
    const BY_HAND: (&'static str, &'static str) = ("DELIMITER //\n", "//\nDELIMITER ;\n");

    const LOOK: Option<&'static str> = Some(include_str!("look.sql"));
    const LARGEST: Option<&'static str> = Some("SELECT CAST(@@max_allowed_packet AS SIGNED)");
    const QUERIES: &'static dyn QuerySql = &query::Queries;

    fn sql(script: Script) -> &'static str {
        match script {
            Script::Take => include_str!("take.sql"),
            Script::Renew => include_str!("renew.sql"),
            Script::Release => include_str!("release.sql"),
            Script::Save | Script::Create => include_str!("save.sql"),
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

    fn unfit() -> Problem {
        Problem::NotMariaDb
    }

    fn meaning(error: &dyn DatabaseError) -> Meaning {
        let number = error.try_downcast_ref().map_or(0, MySqlDatabaseError::number);
        match number {
            // Too many connections, a lock that was not free, a deadlock.
            1040 | 1203 | 1205 | 1213 => Meaning::Passing,
            // It is shutting down, or somebody ended the connection.
            1053 | 1317 | 1927 => Meaning::Ending,
            // No table, no procedure.
            1146 | 1305 => Meaning::NoTable,
            1045 | 1698 => Meaning::Refused("look at the URL's user and password"),
            1046 => Meaning::Refused("name a database in the URL"),
            1049 => Meaning::Refused("create that database, or name another in the URL"),
            1290 | 1792 | 1836 => Meaning::ReadOnly,
            1044 | 1142 | 1227 | 1370 => Meaning::Refused(
                "grant the user the rights on the tables and procedures that the documentation of \
                 `DatabaseBackend` names",
            ),
            1419 => Meaning::Refused(
                "it writes a binary log: set `log_bin_trust_function_creators = 1`, or let a user \
                 who has SUPER apply the migrations",
            ),
            1153 => Meaning::Refused("raise its `max_allowed_packet` above the largest state"),
            1021 => Meaning::Refused("its disk is full"),
            1114 => Meaning::Refused(
                "its disk is full, or its `max_heap_table_size` is too small for the leases",
            ),
            _ => Meaning::Refused("look at its log"),
        }
    }
}
