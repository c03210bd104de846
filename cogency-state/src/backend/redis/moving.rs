//! Setting a record aside and bringing it back, as one step of the server's, with its entry in the
//! history.
//!
//! A state that is in its history leaves it whole: what is aside does not depend on what a history
//! keeps.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::TRIES;
use super::claim::Attempt;
use super::entry::Written;
use super::noting::Arguments;
use super::problem::Problem;
use super::records::{Records, Said};
use super::request::{Request, command};
use super::scripts::{RESTORE_ASIDE, SET_ASIDE};
use crate::aside::{Aside, AsideId};
use crate::backend::Lease;
use crate::envelope::{self, in_history};
use crate::error::Error;
use crate::history::{Back, Next, Origin};
use crate::key::StateKey;
use crate::record::{Record, version_of};

const SET: &str = "set aside the record of";
const RESTORE: &str = "restore what was set aside of";

/// How long a whole record waits for the script that puts it in place, in milliseconds.
const TEMPORARY_MILLIS: &[u8] = b"60000";

/// A record that is put together before it is set aside.
struct Whole {
    /// How the one without its state begins.
    beginning: Bytes,
    document: Bytes,
}

/// As what a record is set aside.
enum Form {
    AsItIs,
    /// Put together.
    Whole(Whole),
    /// As it is, with the history that has what is left of its state.
    WithHistory,
}

impl Form {
    fn whole(&self) -> Option<&Whole> {
        if let Self::Whole(whole) = self { Some(whole) } else { None }
    }
}

impl Records {
    pub(super) async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let (key, attempt) = (lease.key(), self.attempt(lease)?);
        let failed = |failure| self.failed(Some(key), SET, failure);
        self.note_aside(key).await.map_err(failed)?;
        self.known.remove(key);
        let mut is_cut = false;
        for _ in 0..=TRIES {
            let form = self.form_of(key).await?;
            let request = self.setting_aside(&attempt, key, aside, &form, is_cut).await?;
            let said = self.moved(key, SET, self.word(&self.and_wait(request)).await)?;
            // Where the history stands now is seen by whoever goes on with it.
            attempt.found_moved();
            match &*said.word {
                "none" => return Ok(false),
                "done" => return self.in_doubt_unless(key, said.replicated).map(|()| true),
                "again" => {
                    let replicated = self.replicated_again(attempt.record(), aside.id).await;
                    return self.in_doubt_unless(key, replicated).map(|()| true);
                }
                "lost" => return Err(self.lost(lease)),
                "cut" => is_cut = true,
                "gone" => {
                    let problem = said.ahead.map_or(Problem::Evicted, Problem::from);
                    return Err(failed(problem.into()));
                }
                _ => {}
            }
        }
        Err(failed(Problem::HistoryMoves.into()))
    }

    /// As what a record is set aside: whole, where its state is in its history. What cannot be put
    /// together takes along what there is of that.
    async fn form_of(&self, key: &StateKey) -> Result<Form, Error> {
        let Some(small) = self.small_document(key, SET).await? else { return Ok(Form::AsItIs) };
        let Some(Ok(found)) = in_history::read(key, &small) else { return Ok(Form::AsItIs) };
        let record = match self.record_of(key, small, None).await {
            Ok(Some(record)) => record,
            Ok(None) | Err(Error::SchemaVersion { .. }) => return Ok(Form::AsItIs),
            Err(Error::Corrupt { .. }) => return Ok(Form::WithHistory),
            Err(error) => return Err(error),
        };
        // Somebody else's record, meanwhile: the script finds that out.
        let beginning = envelope::beginning(key, found.record.revision)?.into();
        Ok(Form::Whole(Whole { beginning, document: record.to_json()? }))
    }

    async fn setting_aside(
        &self,
        attempt: &Attempt,
        key: &StateKey,
        aside: &Aside,
        form: &Form,
        is_cut: bool,
    ) -> Result<Request, Error> {
        let whole = form.whole();
        let (id, about) = (aside.id.to_string(), aside.to_json()?);
        let noted = async {
            if is_cut || matches!(form, Form::WithHistory) {
                return Ok((None, true));
            }
            let next = |head: Option<&_>, origin: Origin<'_>| {
                Next::aside(head, key, &id, about.clone(), origin)
            };
            self.noted(key, attempt, next).await.map(|entry| (entry, false))
        };
        let (entry, is_broken) = match noted.await {
            Ok(noted) => noted,
            Err(Error::HistoryBroken { .. }) => (None, true),
            Err(error) => return Err(error),
        };
        let [known, place, history, contents] = self.keys.aside_of(key, &id);
        let ahead = whole.map(|_| self.keys.temporary(attempt.record(), &id));
        let mut keys =
            vec![attempt.record(), attempt.lease_name(), attempt.history(), attempt.contents()];
        let blobs = self.keys.blobs(attempt.record());
        keys.extend([&*known, &place, &history, &contents, &blobs]);
        keys.extend(ahead.as_deref());
        let noted = Written::arguments(entry.as_ref());
        let arguments = [
            attempt.id().as_bytes(),
            id.as_bytes(),
            about.as_bytes(),
            &noted.entry,
            &noted.id,
            &noted.before,
            &noted.newest,
            whole.map_or(b"", |whole| &whole.beginning),
            if is_broken { b"1" } else { b"0" },
        ];
        let prepared = match (&ahead, whole) {
            (Some(ahead), Some(whole)) => {
                let value: &[u8] = &whole.document;
                let set = command(&[b"SET", ahead.as_bytes(), value, b"PX", TEMPORARY_MILLIS]);
                Request::one(set).of_bytes(value.len())
            }
            _ => Request::new(),
        };
        Ok(prepared.then_script(&SET_ASIDE, &keys, &arguments))
    }

    pub(super) async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let (key, attempt) = (lease.key(), self.attempt(lease)?);
        let failed = |failure| self.failed(Some(key), RESTORE, failure);
        let by = Uuid::new_v4().to_string();
        if !self.network.is_one_slot() {
            self.note(key, &by).await.map_err(failed)?;
        }
        let back = self.back(key, id).await?;
        self.known.remove(key);
        attempt.saves(false);
        let mut is_doubtful = false;
        for _ in 0..=TRIES {
            let entry = self.back_noted(key, &attempt, back.as_ref()).await?;
            let request = self.bringing_back(&attempt, key, id, entry.as_ref(), &by);
            let said = self.moved(key, RESTORE, self.word(&self.and_wait(request)).await)?;
            is_doubtful |= said.is_doubtful;
            // Where the history stands now is seen by whoever goes on with it.
            attempt.found_moved();
            if said.word == "cut" {
                let sequence = entry.as_ref().map_or(0, |entry| entry.sequence);
                return Err(self.cut(key, sequence));
            }
            if said.word != "moved" {
                return self.brought_back(lease, said, is_doubtful).await;
            }
        }
        Err(failed(Problem::HistoryMoves.into()))
    }

    /// What is to come back, if it can be read.
    async fn back(&self, key: &StateKey, id: AsideId) -> Result<Option<Back>, Error> {
        if self.retention.is_none() {
            return Ok(None);
        }
        let document = self.whole_value(key, &self.keys.aside_record(key, id), RESTORE).await?;
        let read = |document| Record::from_json(key, self.location(), &document).ok();
        Ok(document.and_then(read).map(|record| Back::of(&record)))
    }

    async fn back_noted(
        &self,
        key: &StateKey,
        attempt: &Arc<Attempt>,
        back: Option<&Back>,
    ) -> Result<Option<Written>, Error> {
        let Some(back) = back else { return Ok(None) };
        self.noted(key, attempt, |head, origin| Next::back(head, key, back.clone(), origin)).await
    }

    fn bringing_back(
        &self,
        attempt: &Attempt,
        key: &StateKey,
        id: AsideId,
        entry: Option<&Written>,
        by: &str,
    ) -> Request {
        let [known, place, history, contents] = self.keys.aside_of(key, id);
        let index = self.network.is_one_slot().then(|| self.keys.index(key.user_id()));
        let mut keys =
            vec![attempt.record(), attempt.lease_name(), attempt.history(), attempt.contents()];
        let blobs = self.keys.blobs(attempt.record());
        keys.extend([&*known, &place, &history, &contents, &blobs]);
        keys.extend(index.as_deref());
        let id = id.to_string();
        let Arguments { entry: noted, id: entry_id, before, newest, content } =
            Written::arguments(entry);
        let arguments = [
            attempt.id().as_bytes(),
            id.as_bytes(),
            &noted,
            &entry_id,
            &before,
            &content,
            &newest,
            key.session_id().as_bytes(),
            by.as_bytes(),
        ];
        let request = Request::new().then_script(&RESTORE_ASIDE, &keys, &arguments);
        if content.is_empty() { request } else { request.of_bytes(content.len()) }
    }

    async fn brought_back(
        &self,
        lease: &Lease,
        said: Said,
        is_doubtful: bool,
    ) -> Result<bool, Error> {
        let key = lease.key();
        match &*said.word {
            // An earlier try may have done it.
            "none" | "lost" | "taken" if is_doubtful => Err(self.doubt(key, "its answer was lost")),
            "none" => Ok(false),
            "done" => self.in_doubt_unless(key, said.replicated).map(|()| true),
            "taken" => {
                let found = self.load(key).await?.map(|record| record.revision);
                Err(Error::conflict(key, self.location(), 0, version_of(found)))
            }
            "begun" => Err(self.failed(Some(key), RESTORE, Problem::HistoryBegun.into())),
            _ => Err(self.lost(lease)),
        }
    }
}
