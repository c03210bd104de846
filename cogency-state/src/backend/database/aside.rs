//! Rows that were set aside: listed, loaded, deleted. What moves them is `moving`.

use super::dialect::Script;
use super::problem::Problem;
use super::records::{Answer, LARGE, Records};
use super::row;
use crate::aside::{Aside, AsideId};
use crate::error::{BoxError, Error};
use crate::key::{StateKey, valid_id};
use crate::record::Record;

const LIST: &str = "list what was set aside";
const LOAD: &str = "load what was set aside of";
const DROP: &str = "delete what was set aside of";

impl Records {
    pub(super) async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let id = id.to_string();
        let arguments = [key.user_id().into(), key.session_id().into(), id.as_str().into()];
        let answer = self.moved(key, Script::DropAside, &arguments, DROP).await?;
        Ok(!answer.rows.is_empty() || answer.is_doubtful)
    }

    pub(super) async fn load_aside(
        &self,
        key: &StateKey,
        id: AsideId,
    ) -> Result<Option<Record>, Error> {
        let answer = self.aside_row(key, id).await?;
        let Some(found) = answer.rows.last() else { return Ok(None) };
        row::record(&self.location, key, &**found, 0)
    }

    pub(super) async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let user_id = user_id.map(|user_id| valid_id("user_id", user_id)).transpose()?;
        let answer = match user_id {
            None => self.ask(Script::ListAside, &[], 0).await,
            Some(user_id) => self.ask(Script::ListAsideOf, &[user_id.into()], 0).await,
        };
        let answer = answer.map_err(|failure| self.failed(None, LIST, failure))?;
        let strange = || self.failed(None, LIST, Problem::Strange("no aside").into());
        let aside = |text: Vec<u8>| Aside::from_json(&text);
        let rows = answer.rows.iter().map(|row| row.bytes(0).ok().flatten().and_then(aside));
        rows.map(|aside| aside.ok_or_else(strange)).collect()
    }

    pub(super) async fn aside_row(&self, key: &StateKey, id: AsideId) -> Result<Answer, Error> {
        let id = id.to_string();
        let arguments = [key.user_id().into(), key.session_id().into(), id.as_str().into()];
        let answer = self.ask(Script::LoadAside, &arguments, LARGE).await;
        answer.map_err(|failure| self.failed(Some(key), LOAD, failure))
    }

    /// Runs a script that moves a row. It may be a large one.
    pub(super) async fn moved(
        &self,
        key: &StateKey,
        script: Script,
        arguments: &[super::statement::Argument<'_>],
        operation: &'static str,
    ) -> Result<Answer, Error> {
        self.ask(script, arguments, LARGE).await.map_err(|failure| {
            if failure.is_doubtful {
                return self.doubt(key, failure.problem);
            }
            self.failed(Some(key), operation, failure)
        })
    }

    pub(super) fn doubt(&self, key: &StateKey, source: impl Into<BoxError>) -> Error {
        Error::outcome_unknown(key, &self.location, None, source)
    }
}
