//! Writes out what is said of a state beside where it is.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::Expr;

use crate::choice::{Choice, OnLlmChange};
use crate::expand::lend;
use crate::plan::{Kept, Terms};
use crate::runtime::{Runtime, location, mixed_at};

// Output:
//     run.llm(&(llm));
//     run.on_llm_change(OnLlmChange::Keep);
//     ...
pub(crate) fn say(kept: &Kept, runtime: &Runtime) -> TokenStream {
    let Terms { llm, on_llm_change, llm_match, on_unreadable, actor, metadata } = &kept.terms;
    let said = [
        llm.as_ref().map(|value| call("llm", value, &lend(value))),
        on_llm_change.as_ref().map(|value| on_change(value, kept, runtime)),
        llm_match.as_ref().map(|value| choose("llm_match", "LlmMatch", value, runtime)),
        on_unreadable.as_ref().map(|value| choose("on_unreadable", "OnUnreadable", value, runtime)),
        actor.as_ref().map(|value| call("actor", value, &lend(value))),
        metadata.as_ref().map(|value| call("metadata", value, &fields(value, runtime))),
    ];
    said.into_iter().flatten().collect()
}

// Input: (llm)
// Output: run.llm(&(llm));
fn call(method: &str, place: &Expr, value: &TokenStream) -> TokenStream {
    let span = mixed_at(location(place));
    let method = Ident::new(method, span);
    // The variable's hygiene is that of its declaration; an error is shown at the value.
    let run = Ident::new("run", Span::mixed_site());
    quote_spanned!(span=> #run.#method(#value);)
}

// Input: provider
// Output: run.llm_match(LlmMatch::Provider);
fn choose(method: &str, choices: &str, value: &Choice, runtime: &Runtime) -> TokenStream {
    let variant = &value.variant;
    let span = variant.span();
    let runtime = runtime.at(span);
    let (method, choices) = (Ident::new(method, span), Ident::new(choices, span));
    let run = Ident::new("run", Span::mixed_site());
    quote_spanned!(span=> #run.#method(#runtime::#choices::#variant);)
}

// Input: migrate(to_another)
// Output: run.on_llm_change(OnLlmChange::migrate::<Chat, _>(to_another));
fn on_change(value: &OnLlmChange, kept: &Kept, runtime: &Runtime) -> TokenStream {
    match value {
        OnLlmChange::Choice(choice) => choose("on_llm_change", "OnLlmChange", choice, runtime),
        OnLlmChange::Migrate(function) => {
            let span = mixed_at(location(function));
            let (path, ty) = (runtime.at(span), kept.state.ty());
            let migrate = quote_spanned!(span=> #path::migrate::<#ty, _, _>(#function));
            call("on_llm_change", function, &migrate)
        }
    }
}

// Input: { "team": "blue" }
// Output: &json!({ "team": "blue" })
fn fields(value: &Expr, runtime: &Runtime) -> TokenStream {
    let Expr::Verbatim(braces) = value else { return lend(value) };
    let span = mixed_at(location(value));
    let runtime = runtime.at(span);
    quote_spanned!(span=> &#runtime::json!(#braces))
}
