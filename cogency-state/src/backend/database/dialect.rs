//! What differs between the databases: their SQL, and what their errors mean.
//!
//! What has to happen as one step is one [`Script`]: a function on PostgreSQL, a procedure on
//! MariaDB, statements in one string on SQLite, around which a [`Transaction`] is put. All three take the same arguments and give the
//! same rows, so there is one body above them (`leases`, `saving`, `records`), which knows no
//! database. A script is one round trip, and no part of it waits for this program while it holds
//! a lock. It recognizes what an earlier try of it did, so it may be sent again when its answer was
//! lost.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;

use super::pool::Options;
use super::problem::{Meaning, Miss, Problem};
use super::queries::sql::QuerySql;
use super::statement::{Argument, Rows};

/// Something that is asked of a database, by the file of its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Script {
    /// Takes a lease that is free or has run out, and looks at the record.
    Take,
    /// Makes a lease last longer.
    Renew,
    /// Gives a lease back.
    Release,
    /// Replaces a record under a lease.
    Save,
    /// The same with the first record of a key.
    Create,
    /// Removes a record under a lease.
    Delete,
    /// A record.
    Load,
    /// The sessions of a user.
    List,
    /// Some keys of all users.
    ListAll,
    /// Removes the records that have expired.
    RemoveExpired,
    /// Whether what it acknowledges survives a power cut.
    IsDurable,
    /// Where a history stands.
    HistoryHead,
    /// Some keys that have a history.
    HistoryKeys,
    /// Entries without what they keep, the newest first.
    HistoryList,
    /// Entries with what they keep, the oldest first.
    HistoryRows,
    /// The sequence number of a version.
    HistoryOfVersion,
    /// That of the newest entry at a time.
    HistoryOfTime,
    /// That of the version that so many newer ones follow.
    HistoryOfRank,
    /// Where the rebuild of a version begins.
    HistoryKeyframe,
    /// Removes the oldest entries.
    HistoryPrune,
    /// Removes all entries, where there is no record.
    HistoryForget,
    /// Moves a record away from its key under a lease.
    SetAside,
    /// What was moved away.
    ListAside,
    /// What was moved away of a user's.
    ListAsideOf,
    /// A record that was moved away.
    LoadAside,
    /// Moves a record back under a lease.
    RestoreAside,
    /// Removes a record that was moved away.
    DropAside,
    /// Stores a blob under a lease.
    SaveBlob,
    /// The bytes of a blob.
    LoadBlob,
    /// The blobs of a key.
    ListBlobs,
    /// Removes a blob under a lease.
    RemoveBlob,
    /// Keys that have nothing but blobs.
    StrayBlobs,
}

impl Script {
    pub(super) const ALL: [Self; 32] = [
        Self::Take,
        Self::Renew,
        Self::Release,
        Self::Save,
        Self::Create,
        Self::Delete,
        Self::Load,
        Self::List,
        Self::ListAll,
        Self::RemoveExpired,
        Self::IsDurable,
        Self::HistoryHead,
        Self::HistoryKeys,
        Self::HistoryList,
        Self::HistoryRows,
        Self::HistoryOfVersion,
        Self::HistoryOfTime,
        Self::HistoryOfRank,
        Self::HistoryKeyframe,
        Self::HistoryPrune,
        Self::HistoryForget,
        Self::SetAside,
        Self::ListAside,
        Self::ListAsideOf,
        Self::LoadAside,
        Self::RestoreAside,
        Self::DropAside,
        Self::SaveBlob,
        Self::LoadBlob,
        Self::ListBlobs,
        Self::RemoveBlob,
        Self::StrayBlobs,
    ];

    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Self::Take
                | Self::Renew
                | Self::Release
                | Self::Save
                | Self::Create
                | Self::Delete
                | Self::RemoveExpired
                | Self::HistoryPrune
                | Self::HistoryForget
                | Self::SetAside
                | Self::RestoreAside
                | Self::DropAside
                | Self::SaveBlob
                | Self::RemoveBlob
        )
    }

    /// Whether what it writes has to be on the disk: all but a lease has.
    pub(super) fn is_durable(self) -> bool {
        !matches!(self, Self::Take | Self::Renew | Self::Release)
    }
}

/// What stands around scripts that write, one or several.
#[derive(Debug)]
pub(super) struct Transaction {
    /// For what has to be on the disk when it is over.
    pub(super) durable: Ways,
    /// For what need not.
    pub(super) passing: Ways,
}

#[derive(Debug)]
pub(super) struct Ways {
    pub(super) begin: &'static str,
    pub(super) commit: &'static str,
}

impl Transaction {
    pub(super) fn of(&self, is_durable: bool) -> &Ways {
        if is_durable { &self.durable } else { &self.passing }
    }
}

/// How several of a script go in one statement.
#[derive(Debug)]
pub(super) struct Together {
    /// `{rows}` stands for the rows of their arguments, and `$1` for the time that a lock may take.
    pub(super) sql: &'static str,
    /// How many arguments each has. The first two are its key.
    pub(super) arguments: usize,
    /// The column of the answer that tells whose a row is.
    pub(super) whose: usize,
}

/// One change of the tables, in the order of their versions.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) version: i64,
    /// What it is about, for messages.
    pub(super) about: &'static str,
    pub(super) sql: &'static str,
}

/// How migrations are applied, by one process at a time.
#[derive(Debug)]
pub(super) struct Migrating {
    pub(super) migrations: &'static [Migration],
    /// Begins, and waits for other processes that migrate. Its last row is 1 if it may go on.
    pub(super) begin: &'static str,
    /// Makes the table that counts migrations, unless it is there.
    pub(super) table: &'static str,
    pub(super) commit: &'static str,
}

/// Something that writes in the place of connections.
#[async_trait]
pub(super) trait Writer: Send + Sync {
    /// Runs a script once, in a transaction.
    async fn write(
        &self,
        script: Script,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss>;
}

/// A database, as sqlx knows it. In its SQL `{p}` stands for what all names of tables begin with.
pub(super) trait Dialect: sqlx::Database {
    /// What makes transactions of scripts that write, where those are none by themselves. Only one
    /// may write at a time there: the others wait here.
    const TRANSACTION: Option<Transaction> = None;
    const MIGRATING: Migrating;

    /// What stands around the text of migrations that an operator feeds to the database's client.
    const BY_HAND: (&'static str, &'static str) = ("", "");

    /// What begins a transaction of one statement, in two cases. One that does not stay prepared
    /// needs it: a pooler gives each transaction a connection, and what was prepared on one is not
    /// on another. And it has the isolation that a script needs whatever the default is.
    const BEGIN: Option<&'static str> = None;

    /// A look at the database before it is used: whether it is fit for use (can hold any text, is
    /// new enough), and whether a transaction sees what others commit meanwhile unless it is told
    /// to. `None` where both are so in any case.
    const LOOK: Option<&'static str> = None;

    /// How many bytes a server takes at once; of more it reads nothing, and hangs up. `None` where
    /// no such bound is below what a state may have.
    const LARGEST: Option<&'static str> = None;

    /// How it writes the parts of a query.
    const QUERIES: &'static dyn QuerySql;

    /// The SQL of a script.
    fn sql(script: Script) -> &'static str;

    /// How several of a script go together that wait for a connection, where that is quicker.
    fn together(_script: Script) -> Option<Together> {
        None
    }

    fn meaning(error: &dyn DatabaseError) -> Meaning;

    /// What is wrong with a database that a [look](Self::LOOK) shows to be unfit.
    fn unfit() -> Problem {
        Problem::NotUtf8
    }

    /// What writes in the place of connections, where there is something better: to a database of
    /// these options, with these scripts.
    fn writer(
        _options: &Options<Self>,
        _bodies: &HashMap<Script, Arc<str>>,
    ) -> Option<Box<dyn Writer>> {
        None
    }

    /// What has to be there before the first connection. It may block.
    fn prepare(_options: &Options<Self>) -> io::Result<()> {
        Ok(())
    }
}
