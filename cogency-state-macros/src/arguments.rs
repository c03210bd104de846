//! The arguments that exist.

use syn::{Expr, Ident};

use crate::args::Args;
use crate::choice;
use crate::persist::Persist;
use crate::preset::PRESETS;
use crate::problems::{Problems, advice, meant};
use crate::value;

/// An argument that exists.
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    /// How it is written, for messages.
    pub(crate) example: &'static str,
    /// The argument without which it means nothing.
    pub(crate) needs: Option<&'static str>,
    pub(crate) read: fn(&mut Args, &Expr) -> syn::Result<()>,
}

pub(crate) static ARGUMENTS: [Argument; 21] = [
    Argument {
        name: "persist",
        example: "persist = \"file\"",
        needs: None,
        read: |args, value| set(&mut args.persist, Persist::read(value)),
    },
    Argument {
        name: "key",
        example: "key = user_id",
        needs: Some("persist"),
        read: |args, value| set(&mut args.key, Ok(value.clone())),
    },
    Argument {
        name: "session",
        example: "session = session_id",
        needs: Some("persist"),
        read: |args, value| set(&mut args.session, Ok(value.clone())),
    },
    Argument {
        name: "retry",
        example: "retry = 3",
        needs: None,
        read: |args, value| set(&mut args.retry, value::count(value)),
    },
    Argument {
        name: "backoff",
        example: "backoff = \"100ms\"",
        needs: Some("retry"),
        read: |args, value| set(&mut args.backoff, value::duration(value)),
    },
    Argument {
        name: "timeout",
        example: "timeout = \"30s\"",
        needs: None,
        read: |args, value| set(&mut args.timeout, value::timeout(value)),
    },
    Argument {
        name: "wait",
        example: "wait = \"10s\"",
        needs: Some("persist"),
        read: |args, value| set(&mut args.wait, value::duration(value)),
    },
    Argument {
        name: "ttl",
        example: "ttl = \"7d\"",
        needs: Some("persist"),
        read: |args, value| set(&mut args.ttl, value::ttl(value)),
    },
    Argument {
        name: "version",
        example: "version = 3",
        needs: Some("persist"),
        read: |args, value| set(&mut args.version, value::version(value)),
    },
    Argument {
        name: "migrate",
        example: "migrate = chat_migrations",
        needs: Some("version"),
        read: |args, value| set(&mut args.migrate, value::function(value)),
    },
    Argument {
        name: "retry_if",
        example: "retry_if = is_transient",
        needs: Some("retry"),
        read: |args, value| set(&mut args.retry_if, Ok(value.clone())),
    },
    Argument {
        name: "deadline",
        example: "deadline = \"2m\"",
        needs: None,
        read: |args, value| set(&mut args.deadline, value::deadline(value)),
    },
    Argument {
        name: "phase",
        example: "phase = \"reasoning\"",
        needs: Some("persist"),
        read: |args, value| set(&mut args.phase, value::phase(value)),
    },
    Argument {
        name: "llm",
        example: "llm = \"openai/gpt-5\"",
        needs: Some("persist"),
        read: |args, value| set(&mut args.llm, Ok(value.clone())),
    },
    Argument {
        name: "on_llm_change",
        example: "on_llm_change = reset",
        needs: Some("persist"),
        read: |args, value| set(&mut args.on_llm_change, choice::on_llm_change(value)),
    },
    Argument {
        name: "llm_match",
        example: "llm_match = provider",
        needs: Some("persist"),
        read: |args, value| set(&mut args.llm_match, choice::llm_match(value)),
    },
    Argument {
        name: "on_unreadable",
        example: "on_unreadable = quarantine",
        needs: Some("persist"),
        read: |args, value| set(&mut args.on_unreadable, choice::on_unreadable(value)),
    },
    Argument {
        name: "actor",
        example: "actor = operator",
        needs: Some("persist"),
        read: |args, value| set(&mut args.actor, Ok(value.clone())),
    },
    Argument {
        name: "metadata",
        example: "metadata = { \"team\": \"blue\" }",
        needs: Some("persist"),
        read: |args, value| set(&mut args.metadata, Ok(value.clone())),
    },
    Argument {
        name: "on_outage",
        example: "on_outage = fail",
        needs: Some("persist"),
        read: |args, value| set(&mut args.on_outage, value::on_outage(value)),
    },
    Argument {
        name: "crate",
        example: "crate = ::my_agents::cogency_state",
        needs: None,
        read: |args, value| set(&mut args.runtime, value::path(value)),
    },
];

fn set<T>(field: &mut Option<T>, value: syn::Result<T>) -> syn::Result<()> {
    *field = Some(value?);
    Ok(())
}

/// The argument that was named, or, with a problem, the one that was probably meant.
pub(crate) fn known(name: &Ident, problems: &mut Problems) -> Option<&'static Argument> {
    let word = name.to_string();
    let find = |word: &str| ARGUMENTS.iter().find(|argument| argument.name == word);
    find(&word).or_else(|| {
        let names = ARGUMENTS.each_ref().map(|argument| argument.name);
        let presets = PRESETS.each_ref().map(|preset| preset.name);
        let meant = meant(&word, names.into_iter().chain(presets));
        let legal: Vec<_> = names.into_iter().chain(presets).collect();
        let advice = advice(meant, &legal);
        problems.at(name, format!("`#[robust]` has no argument `{word}`; {advice}"));
        meant.and_then(find)
    })
}
