//! From what was written to what is to be done, or to what is wrong with it.

use std::time::Duration;

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, FnArg, Receiver, Safety, Signature, Type, TypeInfer, parse_quote};

use crate::args::Args;
use crate::function::{Body, Function};
use crate::mentions::contains;
use crate::parameters::{self, SelfKind};
use crate::persist::Persist;
use crate::plan::{Kept, Plan, Policy, Terms};
use crate::problems::Problems;
use crate::retry;
use crate::runtime::Runtime;
use crate::state::State;

const DEFAULT_BACKOFF: Duration = Duration::from_millis(100);

/// A function that is not expanded, as callers are to see it, and why.
pub(crate) struct Refused {
    pub(crate) problems: Problems,
    pub(crate) function: Function,
    pub(crate) state: Option<State>,
}

pub(crate) fn validate(
    args: Args,
    mut function: Function,
    mut problems: Problems,
) -> Result<Plan, Box<Refused>> {
    let policy = policy(&args);
    check_item(&function, &mut problems);
    check_attributes(&function.sig, &mut problems);
    let output = output(&function, &mut problems);
    let has_state = args.gives("persist");
    let state = if has_state { State::take(&mut function.sig, &mut problems) } else { None };
    let mut sig = function.sig.clone();
    let reused = if policy.repeats() {
        retry::reuse(&mut sig, &function.body, &mut problems)
    } else {
        Vec::new()
    };
    let lends_self = policy.repeats() && function.sig.receiver().is_some_and(is_owner);
    let Args { persist, key, session, version, migrate, runtime, .. } = args;
    let Args { llm, on_llm_change, llm_match, on_unreadable, actor, metadata, .. } = args;
    let terms = Terms { llm, on_llm_change, llm_match, on_unreadable, actor, metadata };
    let persist = persist.filter(|persist| check_quotes(persist, &function.sig, &mut problems));
    let user = if has_state && key.is_none() {
        user_id(&function.sig, state.as_ref(), &mut problems)
    } else {
        key
    };
    let output = match output {
        Some(output) if problems.is_empty() => output,
        _ => return Err(Box::new(Refused { problems, function, state })),
    };
    let kept = match (state, persist, user) {
        (Some(state), Some(persist), Some(user)) => {
            Some(Kept { state, persist, user, session, version, migrate, terms })
        }
        _ => None,
    };
    function.sig = sig;
    let runtime = Runtime::new(runtime);
    Ok(Plan { runtime, policy, function, output, kept, reused, lends_self })
}

fn policy(args: &Args) -> Policy {
    let preset = args.preset;
    let phase = args.phase.as_ref().map(syn::LitStr::value);
    Policy {
        attempts: args.retry.or(preset.map(|preset| preset.attempts)).unwrap_or(1),
        backoff: args.backoff.unwrap_or(DEFAULT_BACKOFF),
        timeout: args.timeout.or(preset.map(|preset| preset.timeout)),
        wait: args.wait,
        ttl: args.ttl,
        deadline: args.deadline,
        phase: phase.or_else(|| preset.map(|preset| preset.phase.to_owned())),
        retry_if: args.retry_if.clone(),
        on_outage: args.on_outage.clone(),
    }
}

fn is_owner(receiver: &Receiver) -> bool {
    SelfKind::of(receiver) == SelfKind::Owner
}

/// Refuses what is no async function with a body.
fn check_item(function: &Function, problems: &mut Problems) {
    let sig = &function.sig;
    if let Some(token) = &sig.constness {
        problems.at(token, "a `#[robust]` function cannot be `const`");
    }
    if let Safety::Unsafe(token) = &sig.safety {
        problems.at(token, "a `#[robust]` function cannot be `unsafe`");
    }
    if let Some(abi) = &sig.abi {
        problems.at(abi, "a `#[robust]` function cannot be `extern`");
    }
    match &function.body {
        Body::Async(_) | Body::Boxed(_) => {}
        Body::Missing(semi) => {
            let message = "`#[robust]` needs a body: in a trait, it stands on a default method or \
                           on the implementation";
            problems.at(semi, message);
        }
        Body::Sync(body) if contains(body.clone(), "block_on") => {
            let message = "`#[robust]` has to stand above `#[tokio::main]` and `#[tokio::test]`, \
                           which leave no async function to what is below them";
            problems.add(syn::Error::new(Span::call_site(), message));
        }
        Body::Sync(_) if sig.constness.is_some() => {}
        Body::Sync(_) => problems.at(sig.fn_token, "`#[robust]` needs an `async fn`"),
    }
}

// Input: Result<impl Display, Error>
// Output: Result<_, Error>
fn output(function: &Function, problems: &mut Problems) -> Option<Type> {
    struct InferImplTrait;

    impl VisitMut for InferImplTrait {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(written) = ty {
                let underscore_token = syn::Token![_](written.impl_token.span);
                *ty = Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token });
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }

    let Some(output) = function.output() else {
        let message = "a `#[robust]` function returns a `Result<_, E>` with \
                       `E: From<cogency_state::Error>`";
        problems.at(&function.sig.ident, message);
        return None;
    };
    let mut output = output.clone();
    InferImplTrait.visit_type_mut(&mut output);
    Some(output)
}

fn check_attributes(sig: &Signature, problems: &mut Problems) {
    for input in &sig.inputs {
        let (FnArg::Receiver(Receiver { attrs, .. }) | FnArg::Typed(syn::PatType { attrs, .. })) =
            input;
        let conditional = |path: &syn::Path| path.is_ident("cfg") || path.is_ident("cfg_attr");
        for attr in attrs.iter().filter(|attr| conditional(attr.path())) {
            let message = "a parameter of a `#[robust]` function cannot depend on a `cfg`: put \
                           the `cfg` on two functions";
            problems.at(attr, message);
        }
    }
}

/// `persist = file` is a variable; without one of that name, the backend was meant.
fn check_quotes(persist: &Persist, sig: &Signature, problems: &mut Problems) -> bool {
    let Some(name) = persist.unquoted() else { return true };
    let is_parameter = parameters::names(sig).contains(name);
    if !is_parameter {
        problems.at(name, format!("a backend's name stands in quotes: `persist = \"{name}\"`"));
    }
    is_parameter
}

/// The key unless one is given: the parameter `user_id`.
fn user_id(sig: &Signature, state: Option<&State>, problems: &mut Problems) -> Option<Expr> {
    if let Some(name) = parameters::names(sig).into_iter().find(|name| name == "user_id") {
        return Some(parse_quote!(#name));
    }
    if let Some(name) = state.and_then(State::name).filter(|name| *name == "user_id") {
        problems.at(name, "this parameter is the state: `user_id` is one after it");
    } else {
        let message = "no parameter is named `user_id`: name one so, or say whose state this is \
                       with `key = ...`";
        problems.at(&sig.ident, message);
    }
    None
}
