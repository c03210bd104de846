//! `#[robust(reason)]`: what the phases of an agent need, by name.

use std::time::Duration;

use syn::Ident;

/// The phase, attempts and time-out that a name stands for.
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) phase: &'static str,
    pub(crate) attempts: u32,
    pub(crate) timeout: Duration,
}

const fn preset(name: &'static str, phase: &'static str, attempts: u32, seconds: u64) -> Preset {
    Preset { name, phase, attempts, timeout: Duration::from_secs(seconds) }
}

/// All of them, as in Cogency for Python.
pub(crate) static PRESETS: [Preset; 5] = [
    preset("reason", "reasoning", 3, 30),
    preset("act", "tool_execution", 5, 60),
    preset("preprocess", "preprocessing", 2, 10),
    preset("respond", "response", 2, 15),
    preset("generic", "generic", 3, 30),
];

impl Preset {
    pub(crate) fn named(name: &Ident) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| name == preset.name)
    }
}
