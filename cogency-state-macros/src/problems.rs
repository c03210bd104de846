//! Mistakes, collected so that all are reported at once, each where it was made.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// How much two words have to be alike for one to be a misspelling of the other.
const ALIKE: f64 = 0.79;

#[derive(Debug, Default)]
pub(crate) struct Problems(Option<syn::Error>);

impl Problems {
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    /// Reports a mistake on the tokens that make it.
    pub(crate) fn at(&mut self, place: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(place, message));
    }

    /// The value, or nothing and one more problem.
    pub(crate) fn check<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.iter().flatten().map(|problem| problem.to_string()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// One `compile_error!` for each.
impl ToTokens for Problems {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.as_ref().map(syn::Error::to_compile_error));
    }
}

/// What was probably meant by a word that is none of these.
pub(crate) fn meant<'a>(word: &str, legal: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    legal
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// The end of a message about a wrong word: what was meant, and all that is legal.
pub(crate) fn advice(meant: Option<&str>, legal: &[impl AsRef<str>]) -> String {
    let legal: Vec<_> = legal.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    let legal = legal.join(", ");
    match meant {
        Some(meant) => format!("did you mean `{meant}`? Legal are {legal}"),
        None => format!("legal are {legal}"),
    }
}
