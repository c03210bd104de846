//! The function below the attribute.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, ReturnType, Signature, Token, Type, Visibility, braced};

use crate::boxed::Boxed;

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// `#![...]` at the top of the body.
    pub(crate) inner_attrs: Vec<Attribute>,
    /// The braces of the body.
    pub(crate) braces: Span,
    pub(crate) body: Body,
}

/// The body stays tokens: what does not parse yet is for rustc to report, and for editors to
/// complete.
pub(crate) enum Body {
    /// `async fn f() { ... }`
    Async(TokenStream),
    /// `fn f() -> Pin<Box<dyn Future>> { Box::pin(async move { ... }) }`
    Boxed(Box<Boxed>),
    /// `fn f() { ... }`
    Sync(TokenStream),
    /// `fn f();`
    Missing(Token![;]),
}

impl Function {
    /// The function with other statements where the user's stood.
    pub(crate) fn with(&self, statements: &TokenStream) -> TokenStream {
        let Self { attrs, vis, sig, inner_attrs, body, .. } = self;
        let body = match body {
            Body::Missing(semi) => return quote!(#(#attrs)* #vis #sig #semi),
            Body::Boxed(boxed) => boxed.with(statements),
            Body::Async(_) | Body::Sync(_) => statements.clone(),
        };
        quote!(#(#attrs)* #vis #sig { #(#inner_attrs)* #body })
    }

    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        Parser::parse2(<Self as Parse>::parse, item)
    }

    /// What an await on a call gives, if it is written.
    pub(crate) fn output(&self) -> Option<&Type> {
        match (&self.body, &self.sig.output) {
            (Body::Boxed(boxed), _) => Some(&boxed.output),
            (_, ReturnType::Type(_, output)) => Some(output),
            (_, ReturnType::Default) => None,
        }
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        refuse_other_items(input)?;
        let sig: Signature = input.parse()?;
        if let Some(semi) = input.parse::<Option<Token![;]>>()? {
            let (inner_attrs, braces, body) = (Vec::new(), semi.span, Body::Missing(semi));
            return Ok(Self { attrs, vis, sig, inner_attrs, braces, body });
        }
        let content;
        let braces = braced!(content in input).span.join();
        let inner_attrs = content.call(Attribute::parse_inner)?;
        let body = Body::of(&sig, content.parse()?);
        Ok(Self { attrs, vis, sig, inner_attrs, braces, body })
    }
}

impl Body {
    fn of(sig: &Signature, tokens: TokenStream) -> Self {
        if sig.asyncness.is_some() {
            return Self::Async(tokens);
        }
        match Boxed::detect(&sig.output, &tokens) {
            Some(boxed) => Self::Boxed(Box::new(boxed)),
            None => Self::Sync(tokens),
        }
    }

    /// What the user wrote.
    pub(crate) fn statements(&self) -> TokenStream {
        match self {
            Self::Async(tokens) | Self::Sync(tokens) => tokens.clone(),
            Self::Boxed(boxed) => boxed.statements(),
            Self::Missing(_) => TokenStream::new(),
        }
    }
}

/// Says more than "expected `fn`".
fn refuse_other_items(input: ParseStream<'_>) -> syn::Result<()> {
    let ahead = input.fork();
    let starts = ahead.parse::<Option<Token![const]>>().is_ok()
        && (ahead.peek(Token![fn])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern]));
    if starts {
        return Ok(());
    }
    Err(input.error("`#[robust]` stands on an `async fn` with a body"))
}
