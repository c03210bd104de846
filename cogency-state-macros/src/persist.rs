//! `persist = ...`: a name, a URL or a manager.

use proc_macro2::Span;
use syn::{Expr, Ident, LitStr};

use crate::problems::{advice, meant};
use crate::runtime::{location, mixed_at};
use crate::value;

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

/// The URLs of a backend.
struct Url {
    scheme: &'static str,
    /// An example of what follows the colon.
    rest: &'static str,
    backend: &'static str,
}

const URLS: [Url; 10] = [
    Url { scheme: "memory", rest: "", backend: "memory" },
    Url { scheme: "file", rest: "data/agents", backend: "file" },
    Url { scheme: "redis", rest: "//host/0", backend: "redis" },
    Url { scheme: "rediss", rest: "//host/0", backend: "redis" },
    Url { scheme: "redis+unix", rest: "///run/redis.sock", backend: "redis" },
    Url { scheme: "sqlite", rest: "//agents.db", backend: "sqlite" },
    Url { scheme: "postgres", rest: "//host/agents", backend: "postgres" },
    Url { scheme: "postgresql", rest: "//host/agents", backend: "postgres" },
    Url { scheme: "mysql", rest: "//host/agents", backend: "mysql" },
    Url { scheme: "mariadb", rest: "//host/agents", backend: "mysql" },
];

impl Url {
    fn example(&self) -> String {
        format!("{}:{}", self.scheme, self.rest)
    }

    /// Whether this can follow the colon.
    fn takes(&self, rest: &str) -> bool {
        let begin = if self.rest.starts_with("//") { "//" } else { "" };
        let detail = rest.strip_prefix(begin);
        detail.is_some_and(|detail| detail.is_empty() == self.rest.is_empty())
            && !rest.contains(char::is_control)
    }
}

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

/// The backend that a name or a URL means. No message quotes a URL: it may hold a password.
fn backend(text: &str) -> Result<&'static str, String> {
    match text.split_once(':') {
        None => by_name(text),
        Some((scheme, rest)) => by_url(scheme, rest),
    }
}

fn by_name(name: &str) -> Result<&'static str, String> {
    NAMES.into_iter().find(|known| *known == name).ok_or_else(|| {
        let advice = advice(meant(name, NAMES), &NAMES);
        format!("no backend is named `{name}`; {advice}, or a URL such as `file:data/agents`")
    })
}

fn by_url(scheme: &str, rest: &str) -> Result<&'static str, String> {
    let Some(url) = URLS.iter().find(|url| url.scheme == scheme) else {
        let examples: Vec<_> = URLS.iter().map(Url::example).collect();
        let meant = meant(scheme, URLS.iter().map(|url| url.scheme));
        let advice = advice(meant, &examples);
        return Err(format!("no backend has URLs that begin with `{scheme}:`; {advice}"));
    };
    if url.takes(rest) {
        Ok(url.backend)
    } else {
        Err(format!("this URL is not complete: write it like `{}`", url.example()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_complete_urls_select_their_backends() {
        for name in NAMES {
            assert_eq!(backend(name).unwrap(), name);
        }
        for url in &URLS {
            assert_eq!(backend(&url.example()).unwrap(), url.backend);
        }
    }

    #[test]
    fn messages_do_not_repeat_what_may_be_a_password() {
        for url in ["postgres:user:secret@host", "pg://user:secret@host", "redis:secret"] {
            let message = backend(url).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
