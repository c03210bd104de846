//! The suite on the databases, with a file for each test and a server of each kind of this
//! process's own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{BlobId, DatabaseBackend, StateBackend, StateKey};
use cogency_state_tests::database::{SqliteFile, shared_mariadb, shared_postgres};

const TTL: Duration = Duration::from_secs(1);

struct Database {
    url: String,
    /// Whether all states are apart.
    all_apart: bool,
    /// Runs SQL.
    run: Box<dyn Fn(String) + Send + Sync>,
}

impl Database {
    fn sqlite() -> Self {
        let file = SqliteFile::default();
        Self { url: file.url(), all_apart: false, run: Box::new(move |sql| file.run(sql)) }
    }

    fn postgres() -> Self {
        let run = Box::new(|sql| shared_postgres().run(sql));
        Self { url: shared_postgres().url(), all_apart: false, run }
    }

    fn mariadb() -> Self {
        let run = Box::new(|sql| shared_mariadb().run(sql));
        Self { url: shared_mariadb().url(), all_apart: false, run }
    }

    /// The same, where its history makes each state.
    fn all_apart(self) -> Self {
        Self { all_apart: true, ..self }
    }

    fn prefix(&self) -> &str {
        if self.all_apart { "apart" } else { "cogency" }
    }
}

#[async_trait]
impl Harness for Database {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let mut builder = DatabaseBackend::builder(&self.url).lease_ttl(TTL);
        if self.all_apart {
            builder = builder.prefix("apart_").whole_up_to(0);
        }
        Arc::new(builder.connect().await.unwrap())
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        self.open().await
    }

    /// Puts another state there, without what belongs to it.
    async fn damage(&self, key: &StateKey) -> bool {
        let (user, session) = (key.user_id(), key.session_id());
        let prefix = self.prefix();
        (self.run)(format!(
            "UPDATE {prefix}_states SET state = '{{\"text\":\"forged\"}}' \
             WHERE user_id = '{user}' AND session_id = '{session}'"
        ));
        true
    }

    async fn damage_blob(&self, key: &StateKey, id: BlobId) -> bool {
        let (user, session, digits) = (key.user_id(), key.session_id(), id.digits());
        let prefix = self.prefix();
        (self.run)(format!(
            "UPDATE {prefix}_blobs SET content = 'eno' \
             WHERE user_id = '{user}' AND session_id = '{session}' AND sha256 = '{digits}'"
        ));
        true
    }
}

mod sqlite {
    use super::*;

    cogency_state::conformance_tests!(Database::sqlite());
}

mod postgres {
    use super::*;

    cogency_state::conformance_tests!(Database::postgres());
}

mod mariadb {
    use super::*;

    cogency_state::conformance_tests!(Database::mariadb());
}

mod sqlite_apart {
    use super::*;

    cogency_state::conformance_tests!(Database::sqlite().all_apart());
}

mod postgres_apart {
    use super::*;

    cogency_state::conformance_tests!(Database::postgres().all_apart());
}

mod mariadb_apart {
    use super::*;

    cogency_state::conformance_tests!(Database::mariadb().all_apart());
}
