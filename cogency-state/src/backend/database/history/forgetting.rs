//! Removing the history of a state that is gone without an entry that says so.

use super::TRIES;
use crate::backend::database::dialect::Script;
use crate::backend::database::problem::{Failure, Problem};
use crate::backend::database::records::Records;
use crate::error::Error;
use crate::key::StateKey;

impl Records {
    pub(super) async fn forget_history(&self, key: &StateKey) -> Result<u64, Error> {
        let failed = |failure| self.failed(Some(key), "erase the history of", failure);
        let mut removed = 0;
        for _ in 0..TRIES {
            match self.forget_once(key).await.map_err(failed)? {
                None => return Ok(removed),
                Some(entries) => removed = entries,
            }
        }
        Err(failed(Problem::HistoryMoves.into()))
    }

    /// Removes all entries, as many as are told, unless the history went on meanwhile. `None` if it
    /// may stay.
    async fn forget_once(&self, key: &StateKey) -> Result<Option<u64>, Failure> {
        let (standing, stored) = self.standing(key).await?;
        let left_a_state = standing.head.filter(|head| head.version > 0);
        let Some(head) = left_a_state.filter(|_| stored.is_none()) else { return Ok(None) };
        let hash = head.hash.to_string();
        let arguments = [key.user_id().into(), key.session_id().into(), hash.as_str().into()];
        self.ask(Script::HistoryForget, &arguments, 0).await?;
        Ok(Some(head.sequence.saturating_sub(head.pruned.sequence)))
    }
}
