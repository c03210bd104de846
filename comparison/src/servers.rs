//! Servers of its own: those of the tests. Not as a dependency: the tests switch on more of the library
//! than a program does, and some of that costs time.

// What only tests ask for, in their own way.
#![allow(dead_code, unreachable_pub, clippy::pedantic)]

#[path = "../../tests/src/database"]
pub(crate) mod database {
    mod mariadb;
    mod postgres;
    mod process;
    mod server;
    mod sqlite;

    pub(crate) use server::DatabaseServer;
    pub(crate) use sqlite::SqliteFile;
}

#[path = "../../tests/src/redis"]
pub(crate) mod redis {
    mod process;
    mod server;

    pub(crate) use server::RedisServer;
}
