//! What the attribute's arguments say of a call, where they are expressions.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Run;
use crate::error::{BoxError, Error};
use crate::manager::{
    Llm, LlmChange, LlmMatch, LlmName, OnLlmChange, OnUnreadable, Terms, check_said,
};

/// `on_llm_change = migrate(function)`: with the state's type, so that a closure need not say it.
#[must_use]
pub fn migrate<T, E, F>(migrate: F) -> OnLlmChange
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Into<BoxError>,
    F: Fn(&mut T, &LlmChange) -> Result<(), E> + Send + Sync + 'static,
{
    OnLlmChange::migrate(migrate)
}

impl Run {
    /// `llm = ...`
    pub fn llm<L: Llm + ?Sized>(&mut self, llm: &L) {
        let llm = LlmName::of(llm);
        self.say(|terms| terms.policies.llm = Some(llm));
    }

    /// `on_llm_change = ...`
    pub fn on_llm_change(&mut self, on_llm_change: OnLlmChange) {
        self.say(|terms| terms.policies.on_llm_change = Some(on_llm_change));
    }

    /// `llm_match = ...`
    pub fn llm_match(&mut self, llm_match: LlmMatch) {
        self.say(|terms| terms.policies.llm_match = Some(llm_match));
    }

    /// `on_unreadable = ...`
    pub fn on_unreadable(&mut self, on_unreadable: OnUnreadable) {
        self.say(|terms| terms.policies.on_unreadable = Some(on_unreadable));
    }

    /// `actor = ...`
    pub fn actor<A: Display + ?Sized>(&mut self, actor: &A) {
        let actor = actor.to_string();
        self.say(|terms| terms.facts.actor = Some(actor));
    }

    /// `metadata = ...`
    pub fn metadata<M: Serialize + ?Sized>(&mut self, metadata: &M) {
        let refused = |reason: String| Error::Config { reason };
        let custom = match serde_json::to_value(metadata) {
            Ok(Value::Object(fields)) => {
                let problem = fields.iter().find_map(|(name, value)| check_said(name, value).err());
                problem.map_or(Ok(fields), Err)
            }
            Ok(_) => Err(refused(
                "`metadata` is no object: write `metadata = { \"team\": \"blue\" }`, or give a \
                 struct or a map"
                    .to_owned(),
            )),
            Err(error) => Err(refused(format!("`metadata` cannot be written as JSON: {error}"))),
        };
        match custom {
            Ok(custom) => self.say(|terms| terms.facts.custom = custom),
            Err(error) => self.refuse(error),
        }
    }

    fn say(&mut self, say: impl FnOnce(&mut Terms)) {
        if let Some(terms) = self.terms() {
            say(terms);
        }
    }
}
