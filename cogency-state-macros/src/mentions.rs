//! Whether code can use a variable. One found too many costs a clone; one that was missed would
//! break the code, so what is not known for certain counts.

use proc_macro2::{Ident, Literal, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::{Expr, Lit};

/// Whether some code can use the variable of this name, which `query` and `r#query` both are.
pub(crate) fn mentions(code: TokenStream, variable: &Ident) -> bool {
    in_code(code, &variable.unraw().to_string())
}

/// As [`mentions`], for an expression.
pub(crate) fn expression_mentions(code: &Expr, variable: &Ident) -> bool {
    mentions(quote::quote!(#code), variable)
}

/// Whether a name stands anywhere, be it in a text: `format!("{query}")` uses it.
pub(crate) fn contains(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident.unraw() == name,
        TokenTree::Group(group) => contains(group.stream(), name),
        TokenTree::Literal(literal) => text(literal).contains(name),
        TokenTree::Punct(_) => false,
    })
}

fn text(literal: Literal) -> String {
    match Lit::new(literal) {
        Lit::Str(text) => text.value(),
        other => quote::quote!(#other).to_string(),
    }
}

fn in_code(code: TokenStream, name: &str) -> bool {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    let mark = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or(' ', mark);
    tokens.iter().enumerate().any(|(at, token)| {
        let before = [mark(at.checked_sub(2)), mark(at.checked_sub(1))];
        let after = [mark(Some(at + 1)), mark(Some(at + 2))];
        match token {
            TokenTree::Ident(ident) => ident.unraw() == name && !is_other_name(before, after),
            // `m!(...)` or `macro_rules! m { ... }`: what becomes of these tokens is not known.
            TokenTree::Group(group) if before.contains(&'!') => contains(group.stream(), name),
            TokenTree::Group(group) => in_code(group.stream(), name),
            TokenTree::Literal(_) | TokenTree::Punct(_) => false,
        }
    })
}

/// A punctuation character, `(` for a group, and a space for anything else.
fn mark(token: &TokenTree) -> char {
    match token {
        TokenTree::Punct(punct) => punct.as_char(),
        TokenTree::Group(_) => '(',
        TokenTree::Ident(_) | TokenTree::Literal(_) => ' ',
    }
}

/// Whether a name between these is certainly no variable's.
fn is_other_name(before: [char; 2], after: [char; 2]) -> bool {
    match (before, after) {
        // A range: `0..query`
        (['.', '.'], _) => false,
        // A field or method, a label, a path: `a.query`, `'query`, `a::query`
        ([_, '.' | '\''] | [':', ':'], _)
        // A field, the begin of a path, a macro: `query: 1`, `query::a`, `query!(...)`
        | (_, [':', _] | ['!', '(']) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    fn mentioned(code: &str) -> bool {
        mentions(code.parse().unwrap(), &format_ident!("query"))
    }

    #[test]
    fn every_use_of_a_variable_is_found() {
        for code in [
            "query",
            "query.text",
            "query()",
            "f(&mut query)",
            "0..query",
            "..=query",
            "..query",
            "S { ..query }",
            "S { query }",
            "S { a: query }",
            "S { query: query }",
            "query != 1",
            "query!=(1)",
            "r#query",
            "x.f(query)",
            "{ { [query] } }",
            "|a| a.query + query",
            "println!(\"{query}\")",
            "println!(r\"{query:?}\")",
            "println!(\"{que\\u{72}y}\")",
            "println!(\"{que\\\n   ry}\")",
            "log::info!(q.query)",
            "m!(query: 1)",
            "m![(\"query\")]",
            "macro_rules! m { () => { a.query } }",
        ] {
            assert!(mentioned(code), "{code}");
        }
    }

    #[test]
    fn what_only_has_the_name_of_a_variable_is_not_it() {
        for code in [
            "q.query",
            "q.query()",
            "q?.query",
            "q.0.query",
            "S { query: 1 }",
            "let S { query: q } = s;",
            "a::query(1)",
            "<S as T>::query",
            "query::a(1)",
            "query!(1)",
            "'query: loop { break 'query }",
            "f(\"query\")",
            "queries",
        ] {
            assert!(!mentioned(code), "{code}");
        }
    }

    #[test]
    fn a_keyword_is_mentioned_without_its_prefix() {
        let name = Ident::new_raw("type", proc_macro2::Span::call_site());
        assert!(mentions("format!(\"{type}\")".parse().unwrap(), &name));
        assert!(mentions("r#type".parse().unwrap(), &name));
    }
}
