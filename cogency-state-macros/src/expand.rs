//! Writes a plan out. Nothing can go wrong here.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::Expr;
use syn::ext::IdentExt as _;

use crate::function::Body;
use crate::persist::Persist;
use crate::plan::{Kept, Plan};
use crate::retry::Reused;
use crate::runtime::{Runtime, location, mixed_at};
use crate::terms;

// Input: async fn chat(state: &mut Chat, user_id: &str, query: String) -> Ret { BODY }
// Output:
//     async fn chat(user_id: &str, query: String) -> Ret {
//         let returns = Returns::<Ret>::new();
//         let codec = Codec::<Chat>::new();
//         let mut run = Run::new(POLICY, PERSIST, key(&(user_id), &("default")));
//         loop { ATTEMPT }
//     }
pub(crate) fn expand(plan: &Plan) -> TokenStream {
    let span = Span::mixed_site();
    let output = &plan.output;
    let typed = plan.runtime.at(location(output));
    let returns = quote_spanned!(mixed_at(location(output))=> #typed::Returns::<#output>::new());
    let run = match &plan.kept {
        Some(kept) => run_with_state(plan, kept),
        None => run_without_state(plan),
    };
    let attempt = attempt(plan);
    let attempts =
        if plan.policy.repeats() { quote_spanned!(span=> loop { #attempt }) } else { attempt };
    plan.function.with(&quote_spanned!(span=> let returns = #returns; #run #attempts))
}

fn run_with_state(plan: &Plan, kept: &Kept) -> TokenStream {
    let span = Span::mixed_site();
    let runtime = plan.runtime.at(span);
    let ty = kept.state.ty();
    let typed = plan.runtime.at(location(ty));
    let codec = quote_spanned!(mixed_at(location(ty))=> #typed::Codec::<#ty>::new());
    let policy = policy(plan);
    let persist = persist(&kept.persist, &plan.runtime);
    let default = || quote_spanned!(span=> #runtime::DEFAULT_SESSION);
    let terms = terms::say(kept, &plan.runtime);
    let user = lend(&kept.user);
    let session = kept.session.as_ref().map_or_else(default, lend);
    quote_spanned! {span=>
        let codec = #codec;
        let mut run = #runtime::Run::new(
            #policy,
            #persist,
            #runtime::key(#user, #session),
        );
        #terms
    }
}

// Input: user_id
// Output: &(user_id)
pub(crate) fn lend(value: &Expr) -> TokenStream {
    quote_spanned!(mixed_at(location(value))=> &(#value))
}

fn run_without_state(plan: &Plan) -> TokenStream {
    let span = Span::mixed_site();
    let runtime = plan.runtime.at(span);
    let policy = policy(plan);
    quote_spanned!(span=> let mut run = #runtime::Retry::new(#policy);)
}

// Output:
//     let mut state = match run.begin(&codec).await {
//         Ok(state) => state,
//         Err(error) => return returns.error(error),
//     };
//     let query = Reuse::reuse(&query);
//     let lent = &mut state;
//     let out = run.drive(pin!(BODY)).await;
//     END
fn attempt(plan: &Plan) -> TokenStream {
    let span = Span::mixed_site();
    let state = state_name(plan);
    let begin = plan.kept.as_ref().map(|_| {
        quote_spanned! {span=>
            let mut #state = match run.begin(&codec).await {
                ::core::result::Result::Ok(state) => state,
                ::core::result::Result::Err(error) => return returns.error(error),
            };
            let lent = &mut #state;
        }
    });
    let reuse = plan.reused.iter().map(|reused| reuse(reused, plan));
    let body = body(plan);
    let judge = judge(plan);
    let end = end(plan);
    quote_spanned! {span=>
        #begin
        #(#reuse)*
        let out = run.drive(::core::pin::pin!(#body)).await;
        #judge
        #end
    }
}

// Input: retry_if = is_transient
// Output:
//     let out = returns.either(out);
//     run.retries(returns.is_worth_it(&out, is_transient));
//     let out = Ok(out);
fn judge(plan: &Plan) -> Option<TokenStream> {
    let retry_if = plan.policy.retry_if.as_ref().filter(|_| plan.policy.repeats())?;
    let span = Span::mixed_site();
    let worth = quote_spanned! {mixed_at(location(retry_if))=>
        returns.is_worth_it(&out, #retry_if)
    };
    Some(quote_spanned! {span=>
        let out = returns.either(out);
        run.retries(#worth);
        let out = ::core::result::Result::Ok(out);
    })
}

/// Rustc shows this place if what the body returns borrows from the state.
fn state_name(plan: &Plan) -> Ident {
    let kept = plan.kept.as_ref();
    let place = kept.map_or_else(Span::mixed_site, |kept| location(&kept.state.pattern));
    Ident::new("state", mixed_at(place))
}

// Output:
//     let mut query = Reuse::reuse(&query);
//     let _ = &query;
//
// The second line only where the key uses the argument too: then it is not "unused" although the
// body does without it.
fn reuse(Reused { mutability, name }: &Reused, plan: &Plan) -> TokenStream {
    let span = mixed_at(name.span());
    let runtime = plan.runtime.at(name.span());
    let used = plan
        .kept
        .as_ref()
        .filter(|kept| kept.mentions(name))
        .map(|_| quote_spanned!(span=> let _ = &#name;));
    quote_spanned!(span=> let #mutability #name = #runtime::Reuse::reuse(&#name); #used)
}

// Input: { BODY }
// Output:
//     async move {
//         let state: &mut Chat = lent;
//         if let Some(out) = None::<Ret> { return out; }
//         { BODY }
//     }
//
// The return that never happens is the only way to say what type an async block gives: `?`,
// coercions and `return` in the body need it.
fn body(plan: &Plan) -> TokenStream {
    let span = Span::mixed_site();
    let output = &plan.output;
    let statements = match (&plan.function.body, &plan.kept) {
        (Body::Boxed(boxed), Some(kept)) => boxed.statements_beside(|name| kept.mentions(name)),
        (body, _) => body.statements(),
    };
    let block = quote_spanned!(mixed_at(plan.function.braces)=> { #statements });
    let capture = (!plan.lends_self).then(|| quote_spanned!(span=> move));
    let state = plan.kept.as_ref().map(|Kept { state, .. }| {
        let (attrs, pattern, reference) = (&state.attrs, &state.pattern, &state.reference);
        // Without the call, a `_state` would be "a binding with no effect" for clippy.
        quote_spanned!(span=> #(#attrs)* let #pattern: #reference = ::core::convert::identity(lent);)
    });
    quote_spanned! {span=>
        async #capture {
            #state
            if let ::core::option::Option::Some(out) = ::core::option::Option::None::<#output> {
                return out;
            }
            #block
        }
    }
}

// Output:
//     match run.settle(&codec, state, &returns, out).await {
//         Break(out) => return out,
//         Continue(()) => {}
//     }
fn end(plan: &Plan) -> TokenStream {
    let span = Span::mixed_site();
    let state = state_name(plan);
    let saved = plan.kept.as_ref().map(|_| quote_spanned!(span=> &codec, #state,));
    let ended = quote_spanned!(span=> (#saved &returns, out));
    if !plan.policy.repeats() {
        return quote_spanned!(span=> run.finish #ended.await);
    }
    quote_spanned! {span=>
        match run.settle #ended.await {
            ::core::ops::ControlFlow::Break(out) => return out,
            ::core::ops::ControlFlow::Continue(()) => {}
        }
    }
}

fn persist(persist: &Persist, runtime: &Runtime) -> TokenStream {
    let span = mixed_at(persist.location());
    let runtime = runtime.at(span);
    match persist {
        Persist::Builtin(url) => quote_spanned!(span=> #runtime::Persist::url(#url)),
        Persist::Feature(backend, url) => quote_spanned!(span=> #runtime::#backend!(#url)),
        Persist::Manager(manager) => {
            let manager = lend(manager);
            quote_spanned!(span=> #runtime::Persist::manager(#manager))
        }
    }
}

fn policy(Plan { policy, runtime, function, kept, .. }: &Plan) -> TokenStream {
    let span = Span::mixed_site();
    let runtime = runtime.at(span);
    let name = function.sig.ident.unraw().to_string();
    let attempts = policy.attempts;
    let backoff = duration(policy.backoff);
    let timeout = optional(policy.timeout);
    let wait = optional(policy.wait);
    let ttl = optional(policy.ttl);
    let version = given(kept.as_ref().and_then(|kept| kept.version.as_ref()));
    let migrate = given(kept.as_ref().and_then(|kept| kept.migrate.as_ref()));
    let deadline = optional(policy.deadline);
    let phase = policy.phase.as_ref().map_or_else(
        || quote_spanned!(span=> ::core::option::Option::None),
        |phase| quote_spanned!(span=> ::core::option::Option::Some(#phase)),
    );
    let on_outage = policy.on_outage.as_ref().map_or_else(
        || quote_spanned!(span=> ::core::option::Option::None),
        |variant| quote_spanned!(span=> ::core::option::Option::Some(#runtime::OnOutage::#variant)),
    );
    quote_spanned! {span=>
        #runtime::Policy {
            function: #name,
            attempts: #attempts,
            backoff: #backoff,
            timeout: #timeout,
            wait: #wait,
            ttl: #ttl,
            version: #version,
            migrate: #migrate,
            deadline: #deadline,
            phase: #phase,
            on_outage: #on_outage,
        }
    }
}

// Output: Some(chat_migrations)
fn given(value: Option<&Expr>) -> TokenStream {
    let Some(value) = value else { return optional(None) };
    quote_spanned!(mixed_at(location(value))=> ::core::option::Option::Some(#value))
}

fn optional(value: Option<Duration>) -> TokenStream {
    let span = Span::mixed_site();
    value.map(duration).map_or_else(
        || quote_spanned!(span=> ::core::option::Option::None),
        |value| quote_spanned!(span=> ::core::option::Option::Some(#value)),
    )
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote_spanned!(Span::mixed_site()=> ::core::time::Duration::new(#seconds, #nanoseconds))
}
