//! The `#[robust]` attribute of `cogency-state`. Its documentation stands there, at
//! `cogency_state::robust`, where the examples can run.
//!
//! Data flows one way: `args` and `function` parse, `validate` turns both into a `plan` or
//! refuses, `expand` writes the plan out and cannot fail, `fallback` writes what was refused.

mod args;
mod arguments;
mod boxed;
mod choice;
mod expand;
mod fallback;
mod function;
mod mentions;
mod parameters;
mod persist;
mod plan;
mod preset;
mod problems;
mod retry;
mod runtime;
mod state;
mod terms;
mod url;
mod validate;
mod value;

use proc_macro::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::function::Function;
use crate::problems::Problems;

/// Keeps an async function's state, and repeats what fails. See `cogency_state::robust`.
#[proc_macro_attribute]
pub fn robust(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(args.into(), &item.into()).into()
}

fn expand(
    args: proc_macro2::TokenStream,
    item: &proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let mut problems = Problems::default();
    let args = Args::parse(args, &mut problems);
    let function = match Function::parse(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            problems.add(error);
            return quote!(#problems #item);
        }
    };
    match validate::validate(args, function, problems) {
        Ok(plan) => expand::expand(&plan),
        Err(refused) => fallback::fallback(&refused),
    }
}
