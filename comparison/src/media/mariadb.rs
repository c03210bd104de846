//! A MariaDB server as it comes, with packets that hold large states.

use std::sync::Arc;

use cogency_state::DatabaseBackend;
use tower_sessions_sqlx_store::MySqlStore;
use tower_sessions_sqlx_store::sqlx::MySqlPool;

use super::{Medium, Place, backend, make, version};
use crate::contestant::{Contestant, Guarantees, Kind, Outcome, POWER_CUT};
use crate::floors::sql::{Also, ChangeSql, MariaDbChanges, MariaDbRows, Sql};
use crate::ours::Ours;
use crate::peers::tower_sessions::Sessions;
use crate::servers::database::DatabaseServer;

const FLOOR: &str = "upsert with version";

pub(super) static MARIADB: Medium = Medium {
    name: "MariaDB",
    id: "mariadb",
    floor: FLOOR,
    contestants: &CONTESTANTS,
    writers: &[],
    open,
    backend: backend!(|at| DatabaseBackend::builder(&at).prefix("backend_").connect().await?),
};

const ROW: Sql = Sql {
    tables: "CREATE TABLE floor \
             (id VARCHAR(255) PRIMARY KEY, version BIGINT NOT NULL, data LONGBLOB NOT NULL)",
    first: "INSERT INTO floor VALUES (?, 0, ?)",
    load: "SELECT version, data FROM floor WHERE id = ?",
    save: "UPDATE floor SET version = ?, data = ? WHERE id = ? AND version = ?",
    also: None,
};
const WITH_HISTORY: Sql = Sql {
    tables: "CREATE TABLE newest \
             (id VARCHAR(255) PRIMARY KEY, version BIGINT NOT NULL, data LONGBLOB NOT NULL); \
             CREATE TABLE versions \
             (id VARCHAR(255), version BIGINT, data LONGBLOB, PRIMARY KEY (id, version))",
    first: "INSERT INTO newest VALUES (?, 0, ?)",
    load: "SELECT version, data FROM newest WHERE id = ?",
    save: "UPDATE newest SET version = ?, data = ? WHERE id = ? AND version = ?",
    also: Some(Also {
        begin: "BEGIN",
        row: "INSERT INTO versions (version, data, id) VALUES (?, ?, ?)",
    }),
};
const CHANGES: ChangeSql = ChangeSql {
    tables: "CREATE TABLE changes \
             (id VARCHAR(255), version BIGINT, data LONGBLOB, PRIMARY KEY (id, version))",
    load: "SELECT max(version) FROM changes WHERE id = ?",
    save: "INSERT INTO changes VALUES (?, ?, ?)",
};

static CONTESTANTS: [Contestant; 6] = [
    Contestant {
        name: FLOOR,
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT),
        make: make!(|at| MariaDbRows::at(&at, ROW).await?),
    },
    Contestant {
        name: "upsert and every version whole",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT).history("all versions"),
        make: make!(|at| MariaDbRows::at(&at, WITH_HISTORY).await?),
    },
    Contestant {
        name: "a row of the change",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.versioned().survives(POWER_CUT).history("all versions"),
        make: make!(|at| MariaDbChanges::at(&at, CHANGES).await?),
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
];

async fn sessions(url: &str) -> Outcome<Sessions<MySqlStore>> {
    let store = MySqlStore::new(MySqlPool::connect(url).await?);
    store.migrate().await?;
    Ok(Sessions::in_store(store))
}

const LOG: &str = "\
SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS
WHERE VARIABLE_NAME = 'INNODB_LSN_CURRENT'";
const TABLES: &str = "\
SELECT CAST(COALESCE(SUM(FILE_SIZE), 0) AS SIGNED) FROM information_schema.INNODB_SYS_TABLESPACES
WHERE NAME NOT LIKE 'mysql/%' AND NAME LIKE '%/%'";
const OPTIMIZE: &str = "\
SET @names = (SELECT GROUP_CONCAT('`', table_schema, '`.`', table_name, '`')
FROM information_schema.tables WHERE engine = 'InnoDB' AND table_schema NOT IN ('mysql', 'sys'));
EXECUTE IMMEDIATE CONCAT('OPTIMIZE TABLE ', @names)";

fn open() -> Place {
    let server = Arc::new(DatabaseServer::mariadb());
    let [log, tables, compacted] = [(); 3].map(|()| Arc::clone(&server));
    Place {
        at: server.url(),
        about: format!("MariaDB {}", version("mariadbd")),
        written: Some(Box::new(move || Ok(u64::try_from(log.number(LOG))?))),
        stored: Some(Box::new(move || Ok(u64::try_from(tables.number(TABLES))?))),
        compact: Some(Box::new(move || compacted.run(OPTIMIZE))),
        kept: Box::new(server),
    }
}
