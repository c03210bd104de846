//! What a manager, or one call of it, is told to do with the states of others.

use serde_json::{Map, Value};

use super::llm::{LlmMatch, LlmName, OnLlmChange};
use crate::backend::Capabilities;
use crate::error::Error;
use crate::record::Metadata;

/// What happens to what is stored where a call cannot read it: a damaged record, one of a newer
/// version of this library, a state of another type or one that does not fit its type any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnUnreadable {
    /// The call fails, and it is left as it is.
    #[default]
    Refuse,
    /// The call begins anew. When it has succeeded it is set aside, intact byte for byte, and the
    /// new state takes its key; a call that fails changes nothing.
    Quarantine,
}

/// What was said; what was not is left to whoever comes next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    pub(crate) llm: Option<LlmName>,
    pub(crate) on_llm_change: Option<OnLlmChange>,
    pub(crate) llm_match: Option<LlmMatch>,
    pub(crate) on_unreadable: Option<OnUnreadable>,
}

impl Policies {
    /// These, and what they leave open from others.
    pub(crate) fn or(self, others: &Self) -> Self {
        Self {
            llm: self.llm.or_else(|| others.llm.clone()),
            on_llm_change: self.on_llm_change.or_else(|| others.on_llm_change.clone()),
            llm_match: self.llm_match.or(others.llm_match),
            on_unreadable: self.on_unreadable.or(others.on_unreadable),
        }
    }

    /// The LLM to compare with, if there is one.
    pub(crate) fn llm(&self) -> Option<&LlmName> {
        self.llm.as_ref().filter(|llm| !llm.provider.is_empty())
    }

    pub(crate) fn resets(&self) -> bool {
        self.llm().is_some() && matches!(self.on_llm_change, None | Some(OnLlmChange::Reset))
    }

    /// The same, where what would be set aside is refused.
    pub(crate) fn without_aside(mut self) -> Self {
        if self.resets() {
            self.on_llm_change = Some(OnLlmChange::Refuse);
        }
        self.on_unreadable = Some(OnUnreadable::Refuse);
        self
    }

    pub(crate) fn quarantines(&self) -> bool {
        self.on_unreadable == Some(OnUnreadable::Quarantine)
    }

    /// Refuses what may need a backend that can do more than this one, before anything is touched.
    pub(crate) fn check(&self, can: &Capabilities, location: &str) -> Result<(), Error> {
        if !can.aside && (self.resets() || self.quarantines()) {
            return Err(Error::no_aside(location));
        }
        Ok(())
    }
}

/// What a call says of the state that it saves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) phase: Option<&'static str>,
    pub(crate) actor: Option<String>,
    pub(crate) custom: Map<String, Value>,
}

impl Facts {
    /// Says it. Who wrote, and in which phase, is that of this save alone.
    pub(crate) fn stamp(mut self, metadata: &mut Metadata, llm: Option<&LlmName>) {
        metadata.phase_completed = self.phase.map(Into::into);
        metadata.actor = self.actor.map(Into::into);
        if let Some(Value::Number(count)) = self.custom.remove(TOOLS_COUNT) {
            metadata.tools_count = count.as_u64().unwrap_or(metadata.tools_count);
        }
        if let Some(Value::String(name)) = self.custom.remove(MEMORY_BACKEND) {
            metadata.memory_backend = name.into();
        }
        metadata.custom.extend(self.custom);
        if let Some(llm) = llm {
            llm.stamp(metadata);
        }
    }
}

/// Fields that every record has, and a program sets as if they were its own.
const TOOLS_COUNT: &str = "tools_count";
const MEMORY_BACKEND: &str = "memory_backend";

/// Fields that every record has, and others set.
const TAKEN: [&str; 7] = [
    "llm_provider",
    "llm_model",
    "saved_at",
    "phase_completed",
    "state_version",
    "actor",
    "blob_ids",
];

/// Refuses what cannot be said of a state: a field of a name that is taken, or of another type than
/// every record has it.
pub(crate) fn check_said(name: &str, value: &Value) -> Result<(), Error> {
    let fits = match name {
        TOOLS_COUNT => value.is_u64(),
        MEMORY_BACKEND => value.is_string(),
        name => !TAKEN.contains(&name),
    };
    if fits {
        return Ok(());
    }
    let taken = TAKEN.map(|name| format!("`{name}`")).join(", ");
    let reason = format!(
        "metadata cannot say this of `{name}`: a record says {taken} by itself (`llm`, `phase` and \
         `actor` are arguments); `{TOOLS_COUNT}` is a number from 0, `{MEMORY_BACKEND}` a text"
    );
    Err(Error::Config { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_metadata_is_taken_or_has_its_type() {
        let mut metadata = Metadata::now();
        metadata.phase_completed = Some("x".into());
        metadata.state_version = Some(1);
        metadata.actor = Some("x".into());
        metadata.blob_ids = Some(Vec::new());
        let Value::Object(fields) = serde_json::to_value(&metadata).unwrap() else {
            panic!("no object");
        };
        assert_eq!(fields.len(), TAKEN.len() + 2);
        assert!(fields.keys().all(|name| check_said(name, &Value::Null).is_err()));
        assert!(check_said("team", &Value::Null).is_ok());
        for (name, value) in &fields {
            let is_to_be_said = [TOOLS_COUNT, MEMORY_BACKEND].contains(&&**name);
            assert_eq!(check_said(name, value).is_ok(), is_to_be_said, "{name}");
        }
    }
}
