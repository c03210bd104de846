//! A real model, behind any server that speaks the chat-completions protocol.

use std::{env, fmt};

use anyhow::{Context, Result};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::Thought;
use crate::tools::ToolCall;
use crate::{Step, Turn};

const INSTRUCTIONS: &str = "You are a helpful assistant in a terminal: answer briefly, in plain \
                            text. Calculate with the tool instead of in your head.";

/// How many turns the model is told of. All of them are kept.
const RECALLED_TURNS: usize = 50;

/// The key and the server come from `OPENAI_API_KEY` and `OPENAI_BASE_URL`.
pub(crate) struct OpenAi {
    client: Client<OpenAIConfig>,
    model: String,
}

impl Default for OpenAi {
    fn default() -> Self {
        let model = env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
        Self { client: Client::new(), model }
    }
}

impl fmt::Display for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.model)
    }
}

/// What is read of the model's answer.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    tool_calls: Option<Vec<MessageToolCall>>,
}

#[derive(Deserialize)]
struct MessageToolCall {
    function: Function,
}

#[derive(Serialize, Deserialize)]
struct Function {
    name: String,
    /// An object, as JSON in a string.
    arguments: String,
}

impl OpenAi {
    pub(crate) async fn think(
        &self,
        past: &[Turn],
        question: &str,
        steps: &[Step],
    ) -> Result<Thought> {
        let request = json!({
            "model": self.model,
            "messages": messages(past, question, steps)?,
            "tools": tools(),
            "parallel_tool_calls": false,
        });
        let completion: Completion = self.client.chat().create_byot(request).await?;
        let choice = completion.choices.into_iter().next().context("the model gave no choice")?;
        let Message { content, tool_calls } = choice.message;
        match tool_calls.into_iter().flatten().next() {
            Some(call) => Ok(Thought::Act(call.function.read()?)),
            None => Ok(Thought::Answer(content.context("the model gave an empty answer")?)),
        }
    }
}

/// To serde, a call of `take_note` with `{"text": "..."}` is `{"take_note": {"text": "..."}}`.
impl Function {
    fn read(self) -> Result<ToolCall> {
        let Self { name, arguments } = self;
        let read = || serde_json::from_value(json!({ &name: arguments.parse::<Value>()? }));
        read().with_context(|| format!("the model used the tool {name:?} in a wrong way"))
    }

    fn write(call: &ToolCall) -> Result<Self> {
        let call: Map<String, Value> = serde_json::from_value(serde_json::to_value(call)?)?;
        let (name, arguments) = call.into_iter().next().context("a tool call has a name")?;
        Ok(Self { name, arguments: arguments.to_string() })
    }
}

fn messages(past: &[Turn], question: &str, steps: &[Step]) -> Result<Vec<Value>> {
    let mut messages = vec![json!({ "role": "system", "content": INSTRUCTIONS })];
    for turn in past.iter().skip(past.len().saturating_sub(RECALLED_TURNS)) {
        messages.push(json!({ "role": "user", "content": turn.question }));
        add_steps(&turn.steps, &mut messages)?;
        messages.push(json!({ "role": "assistant", "content": turn.answer }));
    }
    messages.push(json!({ "role": "user", "content": question }));
    add_steps(steps, &mut messages)?;
    Ok(messages)
}

fn add_steps(steps: &[Step], messages: &mut Vec<Value>) -> Result<()> {
    for Step { call, result } in steps {
        let id = format!("call_{}", messages.len());
        let function = Function::write(call)?;
        let call = json!({ "id": id, "type": "function", "function": function });
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": result }));
    }
    Ok(())
}

fn tools() -> Value {
    let calculate = "The exact value of an arithmetic expression of numbers and + - * / ^ % ( ).";
    json!([
        tool("calculate", calculate, Some("expression")),
        tool("take_note", "Keep a note for the user.", Some("text")),
        tool("list_notes", "All notes of the user.", None),
    ])
}

/// A function that takes a text, or nothing.
fn tool(name: &str, description: &str, parameter: Option<&str>) -> Value {
    let properties: Map<_, _> =
        parameter.iter().map(|&name| (name.to_owned(), json!({ "type": "string" }))).collect();
    let parameters = json!({
        "type": "object",
        "properties": properties,
        "required": parameter.as_slice(),
        "additionalProperties": false,
    });
    let function = json!({ "name": name, "description": description, "parameters": parameters });
    json!({ "type": "function", "function": function })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};

    use cogency_state::{MemoryBackend, StateManager};

    use super::*;

    /// Answers one request after the other, each on a connection of its own, and gives back what
    /// was asked.
    fn serve(answers: Vec<(u16, Value)>) -> (OpenAi, JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let config = OpenAIConfig::new().with_api_base(base).with_api_key("secret");
        let model = OpenAi { client: Client::with_config(config), model: "small".to_owned() };
        let server = thread::spawn(move || {
            let exchange = |(status, body)| exchange(listener.accept().unwrap().0, status, &body);
            answers.into_iter().map(exchange).collect()
        });
        (model, server)
    }

    fn exchange(mut stream: TcpStream, status: u16, answer: &Value) -> Value {
        let mut request = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(request.read_line(&mut head).unwrap(), 0, "cut off: {head}");
        }
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /v1/chat/completions "), "{head}");
        assert!(head.contains("authorization: bearer secret\r\n"), "{head}");
        let length = head.split_once("content-length: ").unwrap().1.lines().next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        request.read_exact(&mut body).unwrap();
        let answer = answer.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn choice(message: &Value) -> (u16, Value) {
        (
            200,
            json!({ "id": "1", "object": "chat.completion", "choices": [{ "message": message }] }),
        )
    }

    fn use_tool(name: &str, arguments: &Value) -> (u16, Value) {
        let function = json!({ "name": name, "arguments": arguments.to_string() });
        let call = json!({ "id": "abc", "type": "function", "function": function });
        choice(&json!({ "role": "assistant", "content": null, "tool_calls": [call] }))
    }

    fn say(text: &str) -> (u16, Value) {
        choice(&json!({ "role": "assistant", "content": text }))
    }

    async fn ask(model: OpenAi, question: &str) -> Result<String> {
        crate::turn("alice", "default", &crate::Model::OpenAi(Box::new(model)), question).await
    }

    fn in_memory() {
        StateManager::new(MemoryBackend::new()).install("file").unwrap();
    }

    #[tokio::test]
    async fn uses_a_tool_and_remembers_it() {
        in_memory();
        let calculate = use_tool("calculate", &json!({ "expression": "6*7" }));
        let (model, server) = serve(vec![calculate, say("42, of course.")]);
        assert_eq!(ask(model, "six times seven?").await.unwrap(), "42, of course.");
        let requests = server.join().unwrap();
        assert_eq!(requests[0]["model"], "small");
        assert_eq!(requests[0]["tools"].as_array().unwrap().len(), 3);
        let result = requests[1]["messages"].as_array().unwrap().last().unwrap();
        assert_eq!((&result["role"], &result["content"]), (&json!("tool"), &json!("42")));

        let (model, server) = serve(vec![say("You asked me that.")]);
        ask(model, "what did I ask?").await.unwrap();
        let request = server.join().unwrap().remove(0);
        let messages = request["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|message| message["role"].clone()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "user"]);
        assert_eq!(messages[2]["tool_calls"][0]["id"], messages[3]["tool_call_id"]);
        assert_eq!(messages[2]["tool_calls"][0]["function"]["name"], "calculate");
        assert_eq!(messages[4]["content"], "42, of course.");
    }

    #[tokio::test]
    async fn tries_again_when_the_model_is_down() {
        in_memory();
        let down = json!({ "error": { "message": "down", "type": "server_error" } });
        let (model, server) = serve(vec![(503, down), say("Hello.")]);
        assert_eq!(ask(model, "hello").await.unwrap(), "Hello.");
        assert_eq!(server.join().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_turn_that_fails_leaves_no_trace() {
        in_memory();
        let unknown_tool = use_tool("launch", &json!({}));
        let (model, server) = serve(vec![unknown_tool.clone(), unknown_tool.clone(), unknown_tool]);
        let error = ask(model, "launch it").await.unwrap_err();
        assert!(error.to_string().contains("\"launch\""), "{error:#}");
        assert_eq!(server.join().unwrap().len(), 3);

        let (model, server) = serve(vec![say("Hello.")]);
        ask(model, "hello").await.unwrap();
        let messages = server.join().unwrap()[0]["messages"].as_array().unwrap().len();
        assert_eq!(messages, 2, "only the instructions and the new question");
    }
}
