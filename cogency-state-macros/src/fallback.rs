//! What becomes of a function that has mistakes.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use crate::validate::Refused;

// Input: async fn chat(state: &mut Chat, user_id: &str) -> Ret { BODY }, with a mistake
// Output:
//     compile_error! { ... }
//     #[allow(unused_variables)]
//     async fn chat(user_id: &str) -> Ret {
//         let state: &mut Chat = Option::unwrap(Option::None);
//         BODY
//     }
//
// Callers and the body still compile, so that one mistake is one message, and editors complete. What
// only the attribute's arguments use would be "unused" here.
pub(crate) fn fallback(refused: &Refused) -> TokenStream {
    let Refused { problems, function, state } = refused;
    let span = Span::mixed_site();
    let state = state.as_ref().map(|state| {
        let pattern = &state.pattern;
        let reference = &state.reference;
        quote_spanned! {span=>
            let #pattern: #reference = ::core::option::Option::unwrap(::core::option::Option::None);
        }
    });
    let statements = function.body.statements();
    let function = function.with(&quote_spanned!(span=> #state #statements));
    quote_spanned!(span=> #problems #[allow(unused_variables)] #function)
}
