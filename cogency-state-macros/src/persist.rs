//! `persist = ...`: a name, a URL or a manager.

use proc_macro2::Span;
use syn::{Expr, Ident, LitStr};

use crate::problems::{advice, meant};
use crate::runtime::{location, mixed_at};
use crate::{url, value};

/// Where a state is kept.
pub(crate) enum Persist {
    /// A backend that is always there.
    Builtin(LitStr),
    /// A backend that a cargo feature brings: the runtime has a macro of this name.
    Feature(Ident, LitStr),
    /// An expression that gives a manager.
    Manager(Expr),
}

/// The backends that every build has.
const BUILTIN: [&str; 2] = ["memory", "file"];

/// All backends.
const NAMES: [&str; 7] = ["memory", "file", "redis", "database", "sqlite", "postgres", "mysql"];

impl Persist {
    pub(crate) fn read(value: &Expr) -> syn::Result<Self> {
        let Some(literal) = value::string(value) else {
            return Ok(Self::Manager(value.clone()));
        };
        let backend = backend(&literal.value())
            .map_err(|message| syn::Error::new(literal.span(), message))?;
        if BUILTIN.contains(&backend) {
            Ok(Self::Builtin(literal.clone()))
        } else {
            Ok(Self::Feature(Ident::new(backend, mixed_at(literal.span())), literal.clone()))
        }
    }

    /// Where it is written.
    pub(crate) fn location(&self) -> Span {
        match self {
            Self::Builtin(literal) | Self::Feature(_, literal) => literal.span(),
            Self::Manager(value) => location(value),
        }
    }

    /// The backend's name, where it was written as if it were a variable.
    pub(crate) fn unquoted(&self) -> Option<&Ident> {
        let Self::Manager(value) = self else { return None };
        value::name(value).filter(|name| NAMES.iter().any(|known| name == known))
    }
}

/// The backend that a name or a URL means.
fn backend(text: &str) -> Result<&'static str, String> {
    match text.split_once(':') {
        None => by_name(text),
        Some((scheme, rest)) => url::backend(scheme, rest),
    }
}

fn by_name(name: &str) -> Result<&'static str, String> {
    NAMES.into_iter().find(|known| *known == name).ok_or_else(|| {
        let advice = advice(meant(name, NAMES), &NAMES);
        format!("no backend is named `{name}`; {advice}, or a URL such as `file:data/agents`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_select_their_backends() {
        for name in NAMES {
            assert_eq!(backend(name).unwrap(), name);
        }
    }
}
