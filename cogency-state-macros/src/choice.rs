//! Values that are one of a few words.

use proc_macro2::Span;
use syn::{Expr, ExprCall, Ident};

use crate::problems::{advice, meant};
use crate::runtime::location;
use crate::value;

/// One of the words of an argument, as a variant of the runtime's enum.
pub(crate) struct Choice {
    pub(crate) variant: Ident,
}

/// `on_llm_change = reset`, or a migration.
pub(crate) enum OnLlmChange {
    Choice(Choice),
    Migrate(Expr),
}

type Words = [(&'static str, &'static str)];

/// `on_unreadable = refuse`
pub(crate) fn on_unreadable(value: &Expr) -> syn::Result<Choice> {
    choose(value, &[("refuse", "Refuse"), ("quarantine", "Quarantine")])
}

/// `llm_match = provider`
pub(crate) fn llm_match(value: &Expr) -> syn::Result<Choice> {
    choose(value, &[("provider", "Provider"), ("model", "Model"), ("exact", "Exact")])
}

/// `on_llm_change = keep`, `on_llm_change = migrate(path::to::function)`
pub(crate) fn on_llm_change(value: &Expr) -> syn::Result<OnLlmChange> {
    if let Expr::Call(ExprCall { func, args, .. }) = value::ungrouped(value)
        && value::name(func).is_some_and(|name| name == "migrate")
    {
        return match (args.first(), args.len()) {
            (Some(function), 1) => Ok(OnLlmChange::Migrate(function.clone())),
            _ => Err(syn::Error::new_spanned(
                value,
                "expected one function in `migrate(..)`: it takes the state and a \
                 `cogency_state::LlmChange`, and returns a `Result`",
            )),
        };
    }
    let words = [("reset", "Reset"), ("keep", "Keep"), ("refuse", "Refuse")];
    choose_of(value, &words, &["reset", "keep", "refuse", "migrate(function)"])
        .map(OnLlmChange::Choice)
}

fn choose(value: &Expr, words: &Words) -> syn::Result<Choice> {
    let legal: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    choose_of(value, words, &legal)
}

fn choose_of(value: &Expr, words: &Words, legal: &[&str]) -> syn::Result<Choice> {
    let find = |word: &str| words.iter().find(|(known, _)| *known == word);
    let word = value::name(value).map(Ident::to_string);
    if let Some((_, variant)) = word.as_deref().and_then(find) {
        return Ok(Choice { variant: Ident::new(variant, mixed(value)) });
    }
    let quoted = value::string(value).map(syn::LitStr::value);
    let message = match (word.or(quoted), value::string(value)) {
        (Some(word), Some(_)) if find(&word).is_some() => {
            format!("this word stands without quotes: `{word}`")
        }
        (Some(word), _) => {
            let advice = advice(meant(&word, legal.iter().copied()), legal);
            format!("`{word}` is no choice here; {advice}")
        }
        (None, _) => format!("this is no choice here; {}", advice(None, legal)),
    };
    Err(syn::Error::new_spanned(value, message))
}

fn mixed(value: &Expr) -> Span {
    crate::runtime::mixed_at(location(value))
}
