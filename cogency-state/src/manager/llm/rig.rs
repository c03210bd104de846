//! The models of rig say themselves whose they are.

use rig_core::wire::{Operation, Wire};
use rig_core::{DynModel, Model};

use super::{Llm, UNKNOWN};

impl<W: Wire, T> Llm for Model<W, T> {
    fn provider(&self) -> &str {
        self.wire.describe().name
    }

    fn model(&self) -> &str {
        self.wire.describe().model.unwrap_or(UNKNOWN)
    }
}

impl<Op: Operation> Llm for DynModel<Op> {
    fn provider(&self) -> &str {
        self.name()
    }

    fn model(&self) -> &str {
        self.id().unwrap_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use rig_core::providers::ollama::{Chat, OllamaConfig};

    use super::*;

    #[test]
    fn a_model_of_rig_is_an_llm() {
        let model = Model::new(Chat::new(OllamaConfig::default(), "qwen3"), ());
        assert_eq!((model.provider(), model.model()), ("ollama", "qwen3"));
    }
}
