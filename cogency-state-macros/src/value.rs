//! How the value of an argument is read: counts, durations, paths.

use std::time::Duration;

use proc_macro2::Span;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

/// More attempts than this are a mistake in the number.
const MOST_ATTEMPTS: u32 = 1000;

/// A longer time than this is a mistake in the unit.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The same of a state's life: a hundred years.
const LONGEST_TTL: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);

/// `3`
pub(crate) fn count(value: &Expr) -> syn::Result<u32> {
    let wrong = || {
        let message = format!(
            "expected how often to try in all, as a number from 1 to {MOST_ATTEMPTS}: `retry = 3`"
        );
        syn::Error::new_spanned(value, message)
    };
    let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = ungrouped(value) else {
        return Err(wrong());
    };
    match number.base10_parse() {
        Ok(attempts @ 1..=MOST_ATTEMPTS) => Ok(attempts),
        _ => Err(wrong()),
    }
}

/// `"30s"`, of which an attempt can make something.
pub(crate) fn timeout(value: &Expr) -> syn::Result<Duration> {
    positive(value, duration(value)?, "no attempt can end within no time")
}

/// `"2m"`, in which a call can do something.
pub(crate) fn deadline(value: &Expr) -> syn::Result<Duration> {
    positive(value, duration(value)?, "no call can end within no time")
}

/// `"reasoning"`
pub(crate) fn phase(value: &Expr) -> syn::Result<LitStr> {
    let named = string(value).filter(|literal| !literal.value().trim().is_empty());
    named.cloned().ok_or_else(|| {
        let message = "expected the name of a phase in quotes: `phase = \"reasoning\"`";
        syn::Error::new_spanned(value, message)
    })
}

/// `"7d"`
pub(crate) fn ttl(value: &Expr) -> syn::Result<Duration> {
    let ttl = duration_up_to(LONGEST_TTL, value)?;
    positive(value, ttl, "a state that expires at once is never found again")
}

/// `spool`, `fresh`, `fail`: as the variant of `OnOutage`.
pub(crate) fn on_outage(value: &Expr) -> syn::Result<Ident> {
    let said = name(value).map(|name| (name.to_string(), name.span()));
    let variant = match &said {
        Some((word, _)) if word == "spool" => "Spool",
        Some((word, _)) if word == "fresh" => "Fresh",
        Some((word, _)) if word == "fail" => "Fail",
        _ => {
            let message = "expected what happens when the backend is out of reach, without \
                           quotes: `spool`, `fresh` or `fail`";
            return Err(syn::Error::new_spanned(value, message));
        }
    };
    Ok(Ident::new(variant, Span::mixed_site()))
}

fn positive(value: &Expr, duration: Duration, message: &str) -> syn::Result<Duration> {
    if duration.is_zero() {
        return Err(syn::Error::new_spanned(value, message));
    }
    Ok(duration)
}

/// `"100ms"`, `"0s"`
pub(crate) fn duration(value: &Expr) -> syn::Result<Duration> {
    duration_up_to(LONGEST, value)
}

fn duration_up_to(longest: Duration, value: &Expr) -> syn::Result<Duration> {
    let wrong = |message: String| syn::Error::new_spanned(value, message);
    let Some(literal) = string(value) else {
        return Err(wrong("expected a duration in quotes, such as \"100ms\" or \"1m 30s\"".into()));
    };
    match humantime::parse_duration(&literal.value()) {
        Ok(duration) if duration <= longest => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => {
            let longest = humantime::format_duration(longest);
            Err(wrong(format!("expected a duration of at most {longest}")))
        }
        Err(error) => {
            let example = "expected a duration such as \"100ms\" or \"1m 30s\"";
            Err(wrong(format!("{error}: {example}")))
        }
    }
}

/// `3`, `chat::VERSION`
pub(crate) fn version(value: &Expr) -> syn::Result<Expr> {
    let is_legal = match ungrouped(value) {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            matches!(number.suffix(), "" | "u32")
                && number.base10_parse::<u32>().is_ok_and(|n| n > 0)
        }
        value => matches!(value, Expr::Path(_)),
    };
    let message = "expected the version of the state's type, as a number from 1 or a constant: \
                   `version = 3`";
    is_legal.then(|| value.clone()).ok_or_else(|| syn::Error::new_spanned(value, message))
}

/// `chat_migrations`
pub(crate) fn function(value: &Expr) -> syn::Result<Expr> {
    let message = match ungrouped(value) {
        Expr::Path(_) => return Ok(value.clone()),
        Expr::Call(_) => {
            "expected the function itself, without parentheses: \
                          `migrate = chat_migrations`"
        }
        _ => {
            "expected the name of a function that gives the `Migrations`: \
             `migrate = chat_migrations`"
        }
    };
    Err(syn::Error::new_spanned(value, message))
}

/// `::my_agents::cogency_state`
pub(crate) fn path(value: &Expr) -> syn::Result<Path> {
    let wrong = || {
        let message = "expected the path of the `cogency_state` crate, without quotes: \
                       `crate = ::my_agents::cogency_state`";
        syn::Error::new_spanned(value, message)
    };
    match ungrouped(value) {
        Expr::Path(value) if value.qself.is_none() => {
            let plain = value.path.segments.iter().all(|segment| segment.arguments.is_empty());
            plain.then(|| value.path.clone()).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// A string literal.
pub(crate) fn string(value: &Expr) -> Option<&LitStr> {
    match ungrouped(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Some(literal),
        _ => None,
    }
}

/// The name that an expression consists of.
pub(crate) fn name(value: &Expr) -> Option<&Ident> {
    match ungrouped(value) {
        Expr::Path(value) => value.path.get_ident(),
        _ => None,
    }
}

/// An expression that came through a `macro_rules!` variable stands in an invisible group.
pub(crate) fn ungrouped(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}
