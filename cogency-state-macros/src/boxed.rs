//! A function whose body is a boxed future: what `#[async_trait]`, which expands first, makes of
//! an async function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::{
    Block, Expr, ExprAsync, GenericArgument, Ident, Local, Pat, PathArguments, PathSegment,
    ReturnType, Stmt, Type, TypeParamBound,
};

use crate::parameters::ungrouped;
use crate::value;

pub(crate) struct Boxed {
    /// What stands before the box.
    before: Vec<Stmt>,
    /// `Box::pin`
    pin: Expr,
    /// `async move { ... }`
    future: ExprAsync,
    /// What the future gives.
    pub(crate) output: Type,
}

impl Boxed {
    // Input: { ...; Box::pin(async move { ... }) }
    pub(crate) fn detect(output: &ReturnType, body: &TokenStream) -> Option<Self> {
        let ReturnType::Type(_, output) = output else { return None };
        let output = future_output(output)?.clone();
        let mut before = Block::parse_within.parse2(body.clone()).ok()?;
        let Some(Stmt::Expr(Expr::Call(call), None)) = before.pop() else { return None };
        let mut arguments = call.args.into_iter();
        match (arguments.next(), arguments.next()) {
            (Some(Expr::Async(future)), None) => {
                Some(Self { before, pin: *call.func, future, output })
            }
            _ => None,
        }
    }

    /// The statements of the future.
    pub(crate) fn statements(&self) -> TokenStream {
        let statements = &self.future.block.stmts;
        quote!(#(#statements)*)
    }

    // Input: let user_id = user_id; ...
    // Output: let user_id = user_id; let _ = &user_id; ...
    //
    /// The statements, where `#[async_trait]` moves each argument first: what the attribute uses
    /// is not "unused" although the body does without it.
    pub(crate) fn statements_beside(&self, is_used: impl Fn(&Ident) -> bool) -> TokenStream {
        let statements = self.future.block.stmts.iter().map(|statement| {
            let moved = moved(statement).filter(|name| is_used(name));
            let used = moved.map(|name| quote!(let _ = &#name;));
            quote!(#statement #used)
        });
        quote!(#(#statements)*)
    }

    /// The function's body, with other statements in the future.
    pub(crate) fn with(&self, statements: &TokenStream) -> TokenStream {
        let Self { before, pin, future, .. } = self;
        let ExprAsync { attrs, async_token, capture, .. } = future;
        quote!(#(#before)* #pin(#(#attrs)* #async_token #capture { #statements }))
    }
}

// Input: let name = name;
// Output: name
fn moved(statement: &Stmt) -> Option<&Ident> {
    let Stmt::Local(Local { pat: Pat::Ident(binding), init: Some(init), .. }) = statement else {
        return None;
    };
    value::name(&init.expr).filter(|name| **name == binding.ident)
}

// Input: Pin<Box<dyn Future<Output = T> + ...>>
// Output: T
fn future_output(output: &Type) -> Option<&Type> {
    let Type::TraitObject(object) = argument(argument(output, "Pin")?, "Box")? else { return None };
    object.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => associated(bound.path.segments.last()?, "Future", "Output"),
        _ => None,
    })
}

// Input: Name<T>
// Output: T
fn argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ungrouped(ty) else { return None };
    arguments(path.path.segments.last()?, name)?.find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ungrouped(ty)),
        _ => None,
    })
}

// Input: Name<Key = T>
// Output: T
fn associated<'a>(segment: &'a PathSegment, name: &str, key: &str) -> Option<&'a Type> {
    arguments(segment, name)?.find_map(|argument| match argument {
        GenericArgument::AssocType(associated) if associated.ident == key => Some(&associated.ty),
        _ => None,
    })
}

fn arguments<'a>(
    segment: &'a PathSegment,
    name: &str,
) -> Option<impl Iterator<Item = &'a GenericArgument>> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == name => {
            Some(arguments.args.iter())
        }
        _ => None,
    }
}
