//! The path to the runtime crate in generated code.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Path;

/// Invented names are invisible to the user's code, and the user's to them. The location says
/// where an error in the generated code is shown.
pub(crate) fn mixed_at(location: Span) -> Span {
    Span::mixed_site().located_at(location)
}

/// The first token's location: rustc shows it, and what follows it, as what an error is about.
pub(crate) fn location(tokens: &impl ToTokens) -> Span {
    syn::spanned::Spanned::span(tokens)
}

/// Where `cogency_state::private` is.
pub(crate) struct Runtime(Option<Path>);

impl Runtime {
    pub(crate) fn new(path: Option<Path>) -> Self {
        Self(path)
    }

    /// The path of the private module, with an error in what follows it shown at the location.
    pub(crate) fn at(&self, location: Span) -> TokenStream {
        let span = mixed_at(location);
        let Some(path) = &self.0 else {
            return quote_spanned!(span=> ::cogency_state::private);
        };
        let mut path = path.clone();
        for segment in &mut path.segments {
            segment.ident.set_span(segment.ident.span().located_at(location));
        }
        quote_spanned!(span=> #path::private)
    }
}
