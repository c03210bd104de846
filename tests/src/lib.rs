//! What the tests share.

pub mod agent;
pub mod album;
pub mod database;
pub mod example;
pub mod ledger;
pub mod page;
pub mod redis;
pub mod seen;
pub mod strict;
pub mod switched;
