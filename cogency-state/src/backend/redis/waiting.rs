//! Waiting for replicas, where so many of them are required.
//!
//! `WAIT` counts the replicas that have all that its own connection wrote. So it goes out right
//! behind the write, on the same connection. A script that finds that an earlier try of it did the
//! work writes nothing, perhaps on a connection that never wrote: it says `again`, and a `WAIT`
//! would count what nobody asked for. Then something else is written first, later than the work
//! in the master's one stream of writes: who has this has that.

use std::fmt::Display;

use redis::Value;

use super::problem::{Problem, Refusal};
use super::records::Records;
use super::request::{Request, command};

impl Records {
    /// A request that waits for the replicas that are required.
    pub(super) fn and_wait(&self, request: Request) -> Request {
        match self.network.replicas() {
            0 => request,
            replicas => request.then_wait(replicas, self.network.replicas_within()),
        }
    }

    /// Whether the replicas that are required have what was written.
    pub(super) fn replicated(&self, waited: Option<&Value>) -> Result<(), Problem> {
        let required = self.network.replicas();
        match waited {
            None => Ok(()),
            Some(Value::Int(found)) if *found >= i64::from(required) => Ok(()),
            Some(Value::Int(found)) => {
                let within = self.network.replicas_within();
                Err(Problem::NotReplicated { required, found: *found, within })
            }
            Some(other) => Err(Refusal::in_answer(other)
                .map_or(Problem::Strange("not a number of replicas"), Problem::from)),
        }
    }

    /// Waits for the replicas to have what an earlier try wrote in this slot.
    pub(super) async fn replicated_again(
        &self,
        record: &str,
        write: impl Display,
    ) -> Result<(), Problem> {
        if self.network.replicas() == 0 {
            return Ok(());
        }
        let name = self.keys.temporary(record, write);
        let write = command(&[b"SET", name.as_bytes(), b"", b"PX", b"1"]);
        let answer = self.network.ask(&self.and_wait(Request::one(write))).await;
        self.replicated(answer.map_err(|failure| failure.problem)?.waited.as_ref())
    }
}
