//! The requests of async-openai name their model; its client does not. Who offers it is `openai`,
//! also where the client has another address: give a text such as `"groq/llama-4"` there.

use async_openai::types::chat::CreateChatCompletionRequest;
use async_openai::types::responses::CreateResponse;

use super::{Llm, UNKNOWN};

const OPENAI: &str = "openai";

impl Llm for CreateChatCompletionRequest {
    fn provider(&self) -> &'static str {
        OPENAI
    }

    fn model(&self) -> &str {
        &self.model
    }
}

impl Llm for CreateResponse {
    fn provider(&self) -> &'static str {
        OPENAI
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_async_openai_is_an_llm() {
        let model = "gpt-5".to_owned();
        let chat = CreateChatCompletionRequest { model: model.clone(), ..Default::default() };
        assert_eq!((chat.provider(), chat.model()), ("openai", "gpt-5"));
        let response = CreateResponse { model: Some(model), ..Default::default() };
        assert_eq!((response.provider(), response.model()), ("openai", "gpt-5"));
        assert_eq!(CreateResponse::default().model(), "unknown");
    }
}
