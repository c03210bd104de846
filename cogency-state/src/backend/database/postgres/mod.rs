//! PostgreSQL: scripts are functions.

mod query;

use sqlx::Postgres;
use sqlx::error::DatabaseError;

use super::dialect::{Dialect, Migrating, Migration, Script, Together};
use super::problem::Meaning;
use super::queries::sql::QuerySql;

impl Dialect for Postgres {
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
                about: "fewer statements",
                sql: include_str!("migrations/0007_fewer_statements.sql"),
            },
        ],
        begin: include_str!("migrations/begin.sql"),
        table: include_str!("migrations/table.sql"),
        commit: "COMMIT",
    };

    const LOOK: Option<&'static str> = Some(include_str!("look.sql"));

    const BEGIN: Option<&'static str> = Some("BEGIN ISOLATION LEVEL READ COMMITTED");

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

    fn together(script: Script) -> Option<Together> {
        let (sql, arguments, whose) = match script {
            Script::Take => (include_str!("take_together.sql"), 8, 28),
            Script::Save | Script::Create => (include_str!("save_together.sql"), 33, 4),
            _ => return None,
        };
        Some(Together { sql, arguments, whose })
    }

    fn meaning(error: &dyn DatabaseError) -> Meaning {
        let code = error.code().unwrap_or_default();
        match &*code {
            // A conflict of transactions, a lock that was not free, too many connections, a server
            // that is starting.
            "40001" | "40P01" | "55P03" | "53300" | "57P03" => Meaning::Passing,
            // It is shutting down, or crashed.
            "57P01" | "57P02" | "57P05" => Meaning::Ending,
            "42P01" | "3F000" | "42883" => Meaning::NoTable,
            "28P01" | "28000" => Meaning::Refused("look at the URL's user and password"),
            "3D000" => Meaning::Refused("create that database, or name another in the URL"),
            "25006" => Meaning::ReadOnly,
            "42501" => Meaning::Refused(
                "grant the user the rights on the tables and functions that the documentation of \
                 `DatabaseBackend` names",
            ),
            "26000" | "42P05" => Meaning::Refused(
                "a pooler stands between that does not keep prepared statements: write \
                 `statement_cache=off` into the URL",
            ),
            "53100" => Meaning::Refused("its disk is full"),
            "53200" => Meaning::Refused("it has no memory left"),
            _ => Meaning::Refused("look at its log"),
        }
    }
}
