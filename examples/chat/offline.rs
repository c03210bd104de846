//! A model of a few rules, so that the agent runs without a server, a key, or luck.

use crate::model::Thought;
use crate::tools::ToolCall;
use crate::{Step, Turn, plural};

const HELP: &str = "I am a small model. Ask me \"what is 6*7?\", \"what did I note?\", \"what did I \
                    say?\" or \"how many turns?\", or tell me \"note: buy milk\".";

pub(crate) fn think(past: &[Turn], question: &str, steps: &[Step]) -> Thought {
    match steps.last() {
        None => begin(past, question),
        Some(step) => Thought::Answer(conclude(step)),
    }
}

/// What to do about a new question.
fn begin(past: &[Turn], question: &str) -> Thought {
    let lower = question.to_ascii_lowercase();
    let says = |words: &str| lower.contains(words);
    if let Some(text) = note(question) {
        Thought::Act(ToolCall::TakeNote { text })
    } else if says("did i note") || says("my notes") {
        Thought::Act(ToolCall::ListNotes {})
    } else if says("did i say") || says("did i ask") {
        Thought::Answer(questions(past))
    } else if says("how many turns") {
        Thought::Answer(format!("{} before this one.", plural(past.len(), "turn")))
    } else if let Some(expression) = arithmetic(&lower) {
        Thought::Act(ToolCall::Calculate { expression })
    } else if ["hello", "hi", "hey", "good"].iter().any(|word| lower.starts_with(word)) {
        Thought::Answer(if past.is_empty() { "Hello!" } else { "Hello again!" }.to_owned())
    } else {
        Thought::Answer(HELP.to_owned())
    }
}

/// What to say when a tool did its work.
fn conclude(step: &Step) -> String {
    let Step { call, result } = step;
    match call {
        ToolCall::Calculate { expression } => match result.strip_prefix("error: ") {
            None => format!("{expression} = {result}"),
            Some(reason) => format!("I cannot calculate {expression}: {reason}."),
        },
        ToolCall::TakeNote { .. } | ToolCall::ListNotes {} => result.clone(),
    }
}

fn questions(past: &[Turn]) -> String {
    if past.is_empty() {
        return "Nothing yet.".to_owned();
    }
    let lines: Vec<_> = past.iter().map(|turn| format!("- {}", turn.question)).collect();
    lines.join("\n")
}

/// `note: buy milk` -> `buy milk`
fn note(question: &str) -> Option<String> {
    let (word, text) = question.split_once(':')?;
    let text = text.trim();
    (word.eq_ignore_ascii_case("note") && !text.is_empty()).then(|| text.to_owned())
}

/// `what is 6*7?` -> `6*7`
fn arithmetic(question: &str) -> Option<String> {
    let rest = ["what is ", "what's ", "how much is ", "calculate ", "compute "]
        .iter()
        .find_map(|prefix| question.strip_prefix(prefix))
        .unwrap_or(question);
    let expression = rest.trim_matches(|c: char| " ?=.!".contains(c));
    let is_arithmetic = expression.chars().all(|c| "0123456789+-*/^%(). ".contains(c));
    (is_arithmetic && expression.contains(|c: char| c.is_ascii_digit()))
        .then(|| expression.to_owned())
}
