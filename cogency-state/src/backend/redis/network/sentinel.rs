//! Sentinels, who know which server is the master.
//!
//! They are asked whenever a connection is made. One of them may not have heard of the newest
//! master, so a server is believed only when it says itself that it is one. A master that is
//! replaced closes its connections, or answers `READONLY`: then they are asked again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Client, Value};

use super::address::{Access, Address};
use super::miss::Miss;
use crate::backend::redis::problem::Problem;

/// Some sentinels.
pub(super) struct Sentinels {
    pub(super) addresses: Vec<Address>,
    /// Into the sentinels.
    pub(super) access: Access,
    /// Into the master.
    pub(super) master: Access,
    /// What they call it.
    pub(super) name: String,
    /// The longest that asking may take in all.
    pub(super) within: Duration,
    /// Who is asked first.
    pub(super) turn: AtomicUsize,
}

impl Sentinels {
    /// The master, as the first one knows it that knows one.
    pub(super) async fn master(&self) -> Result<Client, Miss> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.addresses.len();
        let mut missed = Miss::NotYet(Problem::NoConnection(self.within));
        for sentinel in self.addresses.iter().cycle().skip(first % count.max(1)).take(count) {
            match self.master_by(sentinel).await {
                Ok(master) => return Ok(self.master.client(&master)?),
                // What one says for sure counts more than that another one is away.
                Err(miss) if matches!(missed, Miss::NotYet(_)) => missed = miss,
                Err(_) => {}
            }
        }
        Err(missed)
    }

    async fn master_by(&self, sentinel: &Address) -> Result<Address, Miss> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        // A silent one leaves time to ask the others, and for the master.
        let others = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let within = self.within / others.saturating_add(1);
        match self.access.ask(sentinel, &command, within).await? {
            Value::Nil => Err(Miss::Final(Problem::UnknownMaster)),
            answer => {
                let (host, port): (String, u16) = redis::from_redis_value(answer)
                    .map_err(|_| Problem::Strange("not the address of a master"))?;
                Ok(sentinel.or_other(&host, port))
            }
        }
    }
}
