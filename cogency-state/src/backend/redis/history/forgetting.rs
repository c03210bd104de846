//! Removing the history of a state that is gone without an entry that says so.

use super::Look;
use crate::backend::redis::TRIES;
use crate::backend::redis::problem::{Failure, Problem};
use crate::backend::redis::reading::id;
use crate::backend::redis::records::Records;
use crate::backend::redis::request::{Request, command};
use crate::backend::redis::scripts::FORGET_HISTORY;
use crate::backend::redis::standing::Standing;
use crate::error::Error;
use crate::key::StateKey;

const ERASE: &str = "erase the history of";

impl Records {
    pub(super) async fn forget_history(&self, key: &StateKey) -> Result<u64, Error> {
        let failed = |failure| self.failed(Some(key), ERASE, failure);
        let look = Look::new(key, ERASE);
        let mut removed = 0;
        for _ in 0..=TRIES {
            let standing = self.stands(&look).await?;
            let left_a_state = standing.filter(|standing| standing.head.version > 0);
            let Some(standing) = left_a_state else { return Ok(removed) };
            if self.has_record(key).await.map_err(failed)? {
                return Ok(removed);
            }
            self.forget_it(key, &standing).await.map_err(failed)?;
            removed = standing.entries;
        }
        Err(failed(Problem::HistoryMoves.into()))
    }

    async fn has_record(&self, key: &StateKey) -> Result<bool, Failure> {
        let record = self.keys.record(key);
        let value = self.value(&Request::one(command(&[b"EXISTS", record.as_bytes()]))).await?;
        let found: u64 =
            redis::from_redis_value(value).map_err(|_| Problem::Strange("no number of records"))?;
        Ok(found > 0)
    }

    /// Nothing happens if the history went on, or there is a record again.
    async fn forget_it(&self, key: &StateKey, standing: &Standing) -> Result<(), Failure> {
        let names = self.keys.of(key);
        let newest = id(standing.head.sequence);
        let request = Request::new().then_script(
            &FORGET_HISTORY,
            &[&names.record, &names.history, &names.contents],
            &[newest.as_bytes()],
        );
        self.known.remove(key);
        let said = self.word(&self.and_wait(request)).await?;
        Ok(said.replicated?)
    }
}
