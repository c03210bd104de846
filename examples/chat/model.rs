//! What reasons: a real model where there is a key to one, else a few rules.

use std::fmt;

use anyhow::Result;

use crate::tools::ToolCall;
use crate::{Step, Turn, offline};

/// What reasoning leads to.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Thought {
    Act(ToolCall),
    Answer(String),
}

pub(crate) enum Model {
    Offline,
    #[cfg(feature = "openai")]
    OpenAi(Box<crate::openai::OpenAi>),
}

impl Model {
    /// The model that `OPENAI_API_KEY` opens. Without it, the rules.
    pub(crate) fn from_env() -> Self {
        if std::env::var_os("OPENAI_API_KEY").is_none_or(|key| key.is_empty()) {
            return Self::Offline;
        }
        #[cfg(feature = "openai")]
        return Self::OpenAi(Box::default());
        #[cfg(not(feature = "openai"))]
        {
            eprintln!("OPENAI_API_KEY is set: to use it, run with `--features openai`.");
            Self::Offline
        }
    }

    /// The next thing to do about a question, after the steps that were taken already.
    // Only a real model has something to wait for.
    #[cfg_attr(not(feature = "openai"), expect(clippy::unused_async))]
    pub(crate) async fn think(
        &self,
        past: &[Turn],
        question: &str,
        steps: &[Step],
    ) -> Result<Thought> {
        match self {
            Self::Offline => Ok(offline::think(past, question, steps)),
            #[cfg(feature = "openai")]
            Self::OpenAi(model) => model.think(past, question, steps).await,
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("a few rules, offline"),
            #[cfg(feature = "openai")]
            Self::OpenAi(model) => model.fmt(f),
        }
    }
}
