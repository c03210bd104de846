//! The arguments of `#[robust(...)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, LitStr, Path, Token, token};

use crate::arguments::{Argument, known};
use crate::choice::{Choice, OnLlmChange};
use crate::persist::Persist;
use crate::preset::Preset;
use crate::problems::Problems;

/// What was said, once it was found to be legal. A new argument is a field here and a line of
/// [`ARGUMENTS`](crate::arguments::ARGUMENTS).
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) persist: Option<Persist>,
    pub(crate) key: Option<Expr>,
    pub(crate) session: Option<Expr>,
    pub(crate) retry: Option<u32>,
    pub(crate) backoff: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait: Option<Duration>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) version: Option<Expr>,
    pub(crate) migrate: Option<Expr>,
    pub(crate) preset: Option<&'static Preset>,
    pub(crate) retry_if: Option<Expr>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) phase: Option<LitStr>,
    pub(crate) llm: Option<Expr>,
    pub(crate) on_llm_change: Option<OnLlmChange>,
    pub(crate) llm_match: Option<Choice>,
    pub(crate) on_unreadable: Option<Choice>,
    pub(crate) actor: Option<Expr>,
    pub(crate) metadata: Option<Expr>,
    pub(crate) on_outage: Option<Ident>,
    pub(crate) runtime: Option<Path>,
    /// What was given or meant, whether its value was legal or not, and where.
    given: Vec<(&'static Argument, Ident)>,
}

/// An argument as it was written.
struct Written {
    name: Ident,
    value: Option<Expr>,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, problems: &mut Problems) -> Self {
        let mut args = Self::default();
        let parse = |input: ParseStream<'_>| args.parse_all(input, problems);
        let parsed = parse.parse2(tokens);
        problems.check(parsed);
        args.check_needs(problems);
        args
    }

    /// Whether the argument was given, with a legal value or not.
    pub(crate) fn gives(&self, name: &str) -> bool {
        self.given.iter().any(|(argument, _)| argument.name == name)
    }

    fn parse_all(&mut self, input: ParseStream<'_>, problems: &mut Problems) -> syn::Result<()> {
        while !input.is_empty() {
            let start = input.fork();
            match Written::parse(input) {
                Ok(written) => self.take(written, problems),
                Err(error) => {
                    problems.add(error);
                    // An argument after a wrong one is checked all the same.
                    skip_to_comma(&start)?;
                    input.advance_to(&start);
                }
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    }

    fn take(&mut self, written: Written, problems: &mut Problems) {
        let Written { name, value } = written;
        if let Some(preset) = Preset::named(&name) {
            if let Some(value) = &value {
                problems.at(value, format!("a preset has no value: write `{name}` alone"));
            }
            self.take_preset(preset, &name, problems);
            return;
        }
        let Some(argument) = known(&name, problems) else { return };
        if self.gives(argument.name) {
            if name == argument.name {
                problems.at(&name, format!("`{name}` is given twice"));
            }
            return;
        }
        self.given.push((argument, name.clone()));
        let Some(value) = value else {
            let message = format!("`{name}` needs a value: `{}`", argument.example);
            problems.at(name, message);
            return;
        };
        let read = (argument.read)(self, &value);
        problems.check(read);
    }

    fn take_preset(&mut self, preset: &'static Preset, name: &Ident, problems: &mut Problems) {
        if let Some(first) = self.preset {
            let message = format!("`{}` is given already: one call is one phase", first.name);
            problems.at(name, message);
        }
        self.preset = Some(preset);
    }

    /// Whether an argument has what it needs.
    fn has(&self, needed: &str) -> bool {
        self.gives(needed) || needed == "retry" && self.preset.is_some()
    }

    fn check_single_attempt(&self, problems: &mut Problems) {
        for (argument, name) in &self.given {
            if argument.needs == Some("retry") {
                let message = "means nothing with `retry = 1`, which allows no second attempt";
                problems.at(name, format!("`{}` {message}", argument.name));
            }
        }
    }

    fn check_needs(&self, problems: &mut Problems) {
        for (argument, name) in &self.given {
            let Some(needs) = argument.needs.filter(|needs| !self.has(needs)) else { continue };
            problems.at(name, format!("`{}` means nothing without `{needs}`", argument.name));
        }
        if self.retry == Some(1) {
            self.check_single_attempt(problems);
        }
        let is_preset = self.preset.is_some();
        if problems.is_empty()
            && !is_preset
            && self.given.iter().all(|(argument, _)| argument.name == "crate")
        {
            problems.add(syn::Error::new(
                Span::call_site(),
                "`#[robust]` does nothing without an argument: keep a state with \
                 `persist = \"file\"`, repeat what fails with `retry = 3`, or stop what hangs \
                 with `timeout = \"30s\"`",
            ));
        }
    }
}

impl Written {
    // Input: name = value
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected an argument with its name, such as `persist = ...`"));
        }
        let name = input.call(Ident::parse_any)?;
        let has_value = input.parse::<Option<Token![=]>>()?.is_some();
        if !has_value || input.is_empty() || input.peek(Token![,]) {
            skip_to_comma(input)?;
            return Ok(Self { name, value: None });
        }
        if input.peek(token::Brace) {
            return Self::with_braces(name, input);
        }
        let value = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { name, value: Some(value) });
        }
        Err(input.error("expected `,` and the next argument"))
    }

    // Input: { "team": "blue" }
    //
    // JSON in braces is no expression of Rust's. A block is one.
    fn with_braces(name: Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        let is_json = name == "metadata";
        if !is_json && let Ok(value) = ahead.parse() {
            input.advance_to(&ahead);
            return Ok(Self { name, value: Some(value) });
        }
        let braces: TokenTree = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            let value = Some(Expr::Verbatim(braces.into()));
            return Ok(Self { name, value });
        }
        Err(input.error("expected `,` and the next argument"))
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::*;
    use crate::arguments::ARGUMENTS;
    use crate::preset::PRESETS;

    fn parse(tokens: TokenStream) -> (Args, Vec<String>) {
        let mut problems = Problems::default();
        let args = Args::parse(tokens, &mut problems);
        (args, problems.messages())
    }

    fn mistakes(tokens: TokenStream) -> Vec<String> {
        parse(tokens).1
    }

    #[test]
    fn every_example_is_legal() {
        let examples = ARGUMENTS.each_ref().map(|argument| argument.example).join(", ");
        assert_eq!(mistakes(examples.parse().unwrap()), [""; 0]);
    }

    #[test]
    fn a_preset_gives_what_others_need() {
        for preset in &PRESETS {
            let text = format!("{}, backoff = \"1ms\", retry_if = f", preset.name);
            assert_eq!(mistakes(text.parse().unwrap()), [""; 0]);
        }
        assert_eq!(mistakes(quote!(reason, act)).len(), 1);
        assert_eq!(mistakes(quote!(reason = 1)).len(), 1);
    }

    #[test]
    fn what_is_about_retries_is_refused_where_there_is_none() {
        for text in ["backoff = \"1ms\"", "retry_if = f"] {
            let messages = mistakes(format!("reason, retry = 1, {text}").parse().unwrap());
            assert!(messages[0].contains("with `retry = 1`"), "{messages:?}");
        }
        assert_eq!(mistakes(quote!(reason, retry = 1)), [""; 0]);
    }

    #[test]
    fn values_are_kept() {
        let (args, mistakes) = parse(quote!(retry = 3, backoff = "1ms", timeout = "1m 30s",));
        assert_eq!(mistakes, [""; 0]);
        assert_eq!(args.retry, Some(3));
        assert_eq!(args.backoff, Some(Duration::from_millis(1)));
        assert_eq!(args.timeout, Some(Duration::from_secs(90)));
        assert!(args.gives("retry") && !args.gives("persist"));
    }

    #[test]
    fn a_ttl_may_be_longer_than_what_a_call_waits_for() {
        let day = 24 * 60 * 60;
        for (ttl, seconds) in [("7d", 7 * day), ("2w", 14 * day), ("90days", 90 * day), ("1s", 1)] {
            let (args, mistakes) = parse(quote!(persist = "file", ttl = #ttl));
            assert_eq!(mistakes, [""; 0]);
            assert_eq!(args.ttl, Some(Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn a_comma_in_a_value_does_not_end_it() {
        let args = quote!(persist = "file", key = pair::<u8, u8>(a, b), session = [1, 2][0]);
        assert_eq!(mistakes(args), [""; 0]);
    }

    #[test]
    fn what_follows_a_mistake_is_checked() {
        let wrong = mistakes(quote!(retry = +, 7, timeout 1, wait = "x"));
        assert_eq!(wrong.len(), 5, "{wrong:#?}");
    }

    #[test]
    fn a_misspelled_argument_counts_as_the_one_that_was_meant() {
        let wrong = mistakes(quote!(persist_ = "file", key = id));
        assert_eq!(wrong.len(), 1, "{wrong:#?}");
    }
}
