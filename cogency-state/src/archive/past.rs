//! An entry of a history as a line.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::entry::Kind;
use super::problem::Problem;
use crate::history::HistoryRow;
use crate::key::StateKey;
use crate::rfc3339;

#[derive(Serialize, Deserialize)]
pub(super) struct PastLine {
    kind: Kind,
    user_id: String,
    session_id: String,
    pub(super) entry: HistoryRow,
}

impl PastLine {
    pub(super) fn of(key: &StateKey, row: &HistoryRow) -> Self {
        let (user_id, session_id) = (key.user_id().to_owned(), key.session_id().to_owned());
        Self { kind: Kind::History, user_id, session_id, entry: row.clone() }
    }

    pub(super) fn parse(line: &Bytes) -> Result<Self, Problem> {
        serde_json::from_slice(line).map_err(Problem::NotJson)
    }

    pub(super) fn key(&self) -> Result<StateKey, Problem> {
        let key = StateKey::new(&self.user_id, &self.session_id);
        key.map_err(|_| Problem::Damaged("an entry has no key"))
    }

    pub(super) fn saved_at(&self) -> String {
        let at = UNIX_EPOCH.checked_add(Duration::from_micros(self.entry.entry.at));
        rfc3339::format(at.unwrap_or_else(rfc3339::last)).to_string()
    }
}
