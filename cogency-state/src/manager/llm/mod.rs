//! Which LLM a call is made with, and whether it is the one that wrote the state.

#[cfg(feature = "async-openai")]
mod openai;
mod policy;
#[cfg(feature = "rig")]
mod rig;

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::record::Metadata;

pub use policy::{LlmChange, LlmMatch, LlmMigration, OnLlmChange};

/// What stands for a name that nobody told.
const UNKNOWN: &str = "unknown";

/// An LLM, as its names tell it from others.
///
/// A text is one: `"openai/gpt-5"` is the model `gpt-5` of the provider `openai`, up to the first
/// slash; without one it is a provider alone. `None` is one that is not known. With the cargo
/// feature `rig` so are the models of rig (`Model`, `DynModel`), with `async-openai` the requests of
/// async-openai (`CreateChatCompletionRequest`, `CreateResponse`), whose client names no model.
///
/// ```
/// use cogency_state::Llm;
///
/// struct Claude;
///
/// impl Llm for Claude {
///     fn provider(&self) -> &str {
///         "anthropic"
///     }
///
///     fn model(&self) -> &str {
///         "claude-sonnet-4-5"
///     }
/// }
///
/// assert_eq!("openai/gpt-5".provider(), "openai");
/// assert_eq!("openrouter/meta/llama-4".model(), "meta/llama-4");
/// ```
#[diagnostic::on_unimplemented(
    message = "`llm` takes a text such as `\"openai/gpt-5\"`, or what implements `cogency_state::Llm`, \
               not `{Self}`",
    label = "this is no `Llm`"
)]
pub trait Llm {
    /// Who offers it, such as `"openai"`; `"unknown"` if that is not known.
    fn provider(&self) -> &str;

    /// Its name there, such as `"gpt-5"`; `"unknown"` if that is not known.
    fn model(&self) -> &str;
}

impl Llm for str {
    fn provider(&self) -> &str {
        self.split_once('/').map_or(self, |(provider, _)| provider)
    }

    fn model(&self) -> &str {
        self.split_once('/').map_or(UNKNOWN, |(_, model)| model)
    }
}

impl Llm for String {
    fn provider(&self) -> &str {
        (**self).provider()
    }

    fn model(&self) -> &str {
        (**self).model()
    }
}

impl<L: Llm> Llm for Option<L> {
    fn provider(&self) -> &str {
        self.as_ref().map_or(UNKNOWN, Llm::provider)
    }

    fn model(&self) -> &str {
        self.as_ref().map_or(UNKNOWN, Llm::model)
    }
}

macro_rules! behind {
    ($($pointer:ty),+) => {
        $(impl<L: Llm + ?Sized> Llm for $pointer {
            fn provider(&self) -> &str {
                (**self).provider()
            }

            fn model(&self) -> &str {
                (**self).model()
            }
        })+
    };
}

behind!(&L, &mut L, Box<L>, Rc<L>, Arc<L>);

/// The names of an LLM.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LlmName {
    /// Who offers it.
    pub provider: Cow<'static, str>,
    /// Its name there.
    pub model: Cow<'static, str>,
}

impl LlmName {
    /// The names that an LLM has now.
    #[must_use]
    pub fn of(llm: &(impl Llm + ?Sized)) -> Self {
        let (provider, model) = (llm.provider().to_owned(), llm.model().to_owned());
        Self { provider: provider.into(), model: model.into() }
    }

    /// The LLM that wrote a state.
    pub(crate) fn in_metadata(metadata: &Metadata) -> Self {
        Self { provider: metadata.llm_provider.clone(), model: metadata.llm_model.clone() }
    }

    /// Says that it writes the state. What is not known does not replace what is.
    pub(crate) fn stamp(&self, metadata: &mut Metadata) {
        if !is_known(&self.provider) {
            return;
        }
        let is_same_provider = metadata.llm_provider == self.provider;
        metadata.llm_provider.clone_from(&self.provider);
        if is_known(&self.model) {
            metadata.llm_model.clone_from(&self.model);
        } else if !is_same_provider {
            metadata.llm_model = Cow::Borrowed(UNKNOWN);
        }
    }
}

impl Llm for LlmName {
    fn provider(&self) -> &str {
        &self.provider
    }

    fn model(&self) -> &str {
        &self.model
    }
}

/// `provider/model`
impl fmt::Display for LlmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

fn is_known(name: &str) -> bool {
    !name.is_empty() && name != UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_provider_and_a_model() {
        let names = |llm: &str| (llm.provider().to_owned(), llm.model().to_owned());
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(names("openai/gpt-5"), pair("openai", "gpt-5"));
        assert_eq!(names("openrouter/meta/llama"), pair("openrouter", "meta/llama"));
        assert_eq!(names("ollama"), pair("ollama", "unknown"));
        assert_eq!(LlmName::of(&None::<&str>).to_string(), "unknown/unknown");
        assert_eq!(LlmName::of(&Some(Arc::new("a/b".to_owned()))).to_string(), "a/b");
    }

    #[test]
    fn what_is_not_known_does_not_replace_what_is() {
        let stamped = |llm: &str, over: &str| {
            let mut metadata = Metadata::default();
            LlmName::of(over).stamp(&mut metadata);
            LlmName::of(llm).stamp(&mut metadata);
            LlmName::in_metadata(&metadata).to_string()
        };
        assert_eq!(stamped("unknown", "openai/gpt-5"), "openai/gpt-5");
        assert_eq!(stamped("openai", "openai/gpt-5"), "openai/gpt-5");
        assert_eq!(stamped("anthropic", "openai/gpt-5"), "anthropic/unknown");
        assert_eq!(stamped("anthropic/claude", "openai/gpt-5"), "anthropic/claude");
    }
}
