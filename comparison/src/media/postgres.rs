//! A PostgreSQL server as it comes.

use std::sync::Arc;

use cogency_state::DatabaseBackend;
use graph_flow::PostgresSessionStorage;
use tower_sessions_sqlx_store::PostgresStore;
use tower_sessions_sqlx_store::sqlx::PgPool;

use super::{Medium, Place, backend, make, version};
use crate::contestant::{Contestant, Guarantees, Kind, Outcome, POWER_CUT};
use crate::floors::sql::{ChangeSql, PostgresChanges, PostgresRows, Sql};
use crate::ours::Ours;
use crate::peers::graph_flow::Workflows;
use crate::peers::tower_sessions::Sessions;
use crate::servers::database::DatabaseServer;

const FLOOR: &str = "upsert with version";

pub(super) static POSTGRES: Medium = Medium {
    name: "PostgreSQL",
    id: "postgres",
    floor: FLOOR,
    contestants: &CONTESTANTS,
    writers: &[],
    open,
    backend: backend!(|at| DatabaseBackend::builder(&at).prefix("backend_").connect().await?),
};

const ROW: Sql = Sql {
    tables: "CREATE TABLE floor (id text PRIMARY KEY, version bigint NOT NULL, data bytea NOT NULL)",
    first: "INSERT INTO floor VALUES ($1, 0, $2)",
    load: "SELECT version, data FROM floor WHERE id = $1",
    save: "UPDATE floor SET version = $1, data = $2 WHERE id = $3 AND version = $4",
    also: None,
};
const JSON: Sql = Sql {
    tables: "CREATE TABLE documents (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL)",
    first: "INSERT INTO documents VALUES ($1, 0, convert_from($2, 'UTF8')::jsonb)",
    load: "SELECT version, convert_to(data::text, 'UTF8') FROM documents WHERE id = $1",
    save: "UPDATE documents SET version = $1, data = convert_from($2, 'UTF8')::jsonb \
           WHERE id = $3 AND version = $4",
    also: None,
};
const WITH_HISTORY: Sql = Sql {
    tables: "CREATE TABLE newest (id text PRIMARY KEY, version bigint NOT NULL, data bytea NOT NULL); \
             CREATE TABLE versions (id text, version bigint, data bytea, PRIMARY KEY (id, version))",
    first: "INSERT INTO newest VALUES ($1, 0, $2)",
    load: "SELECT version, data FROM newest WHERE id = $1",
    save: "WITH saved AS (UPDATE newest SET version = $1, data = $2 \
           WHERE id = $3 AND version = $4 RETURNING id) \
           INSERT INTO versions SELECT id, $1, $2 FROM saved",
    also: None,
};
const CHANGES: ChangeSql = ChangeSql {
    tables: "CREATE TABLE changes (id text, version bigint, data bytea, PRIMARY KEY (id, version))",
    load: "SELECT max(version) FROM changes WHERE id = $1",
    save: "INSERT INTO changes VALUES ($1, $2, $3)",
};

static CONTESTANTS: [Contestant; 8] = [
    Contestant {
        name: FLOOR,
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT),
        make: make!(|at| PostgresRows::at(&at, ROW).await?),
    },
    Contestant {
        name: "upsert of jsonb",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT),
        make: make!(|at| PostgresRows::at(&at, JSON).await?),
    },
    Contestant {
        name: "upsert and every version whole",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT).history("all versions"),
        make: make!(|at| PostgresRows::at(&at, WITH_HISTORY).await?),
    },
    Contestant {
        name: "a row of the change",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT).history("all versions"),
        make: make!(|at| PostgresChanges::at(&at, CHANGES).await?),
    },
    Contestant {
        name: "cogency-state",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("all versions", POWER_CUT),
        make: make!(|at| Ours::over(DatabaseBackend::connect(&at).await?)),
    },
    Contestant {
        name: "cogency-state, no history",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("none", POWER_CUT),
        make: make!(|at| {
            let builder = DatabaseBackend::builder(&at).prefix("bare_");
            Ours::over(builder.without_history().connect().await?)
        }),
    },
    Contestant {
        name: "tower-sessions",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE.survives(POWER_CUT),
        make: make!(|at| sessions(&at).await?),
    },
    Contestant {
        name: "graph-flow",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT),
        make: make!(|at| Workflows(PostgresSessionStorage::connect(&at).await?)),
    },
];

async fn sessions(url: &str) -> Outcome<Sessions<PostgresStore>> {
    let store = PostgresStore::new(PgPool::connect(url).await?);
    store.migrate().await?;
    Ok(Sessions::in_store(store))
}

const LOG: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
const TABLES: &str = "\
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

fn open() -> Place {
    let server = Arc::new(DatabaseServer::postgres());
    let [log, tables, compacted] = [(); 3].map(|()| Arc::clone(&server));
    Place {
        at: server.url(),
        about: format!("PostgreSQL {}", version("psql")),
        written: Some(Box::new(move || Ok(u64::try_from(log.number(LOG))?))),
        stored: Some(Box::new(move || Ok(u64::try_from(tables.number(TABLES))?))),
        compact: Some(Box::new(move || compacted.run("VACUUM FULL"))),
        kept: Box::new(server),
    }
}
