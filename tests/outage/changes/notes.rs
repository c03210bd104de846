//! One state type through three versions of its program, each of which writes its own.

use cogency_state::{Migrations, StateManagerBuilder};
use cogency_state_tests::ledger::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What all three have: entries, whose agent is the LLM that the call was made with.
pub(super) trait Notes: Default + Serialize + DeserializeOwned + Send + 'static {
    fn entries(&mut self) -> &mut Vec<Entry>;

    /// The migrations that it went through.
    fn steps(&self) -> &[u32] {
        &[]
    }

    /// A manager of the program of this version.
    fn program(builder: StateManagerBuilder) -> StateManagerBuilder {
        builder
    }
}

pub(super) mod v1 {
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    #[serde(transparent)]
    pub(crate) struct Notes {
        pub(crate) lines: Vec<super::Entry>,
    }
}

pub(super) mod v2 {
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Notes {
        pub(crate) steps: Vec<u32>,
        pub(crate) entries: Vec<super::Entry>,
    }
}

pub(super) mod v3 {
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Notes {
        pub(crate) steps: Vec<u32>,
        pub(crate) turns: Vec<super::Entry>,
    }
}

fn first_step() -> Migrations {
    Migrations::new()
        .step_from(1, |old: v1::Notes| Ok(v2::Notes { steps: vec![1], entries: old.lines }))
}

fn both_steps() -> Migrations {
    first_step().step_from(2, |mut old: v2::Notes| {
        old.steps.push(2);
        Ok(v3::Notes { steps: old.steps, turns: old.entries })
    })
}

impl Notes for v1::Notes {
    fn entries(&mut self) -> &mut Vec<Entry> {
        &mut self.lines
    }
}

impl Notes for v2::Notes {
    fn entries(&mut self) -> &mut Vec<Entry> {
        &mut self.entries
    }

    fn steps(&self) -> &[u32] {
        &self.steps
    }

    fn program(builder: StateManagerBuilder) -> StateManagerBuilder {
        builder.migrations::<Self>(first_step())
    }
}

impl Notes for v3::Notes {
    fn entries(&mut self) -> &mut Vec<Entry> {
        &mut self.turns
    }

    fn steps(&self) -> &[u32] {
        &self.steps
    }

    fn program(builder: StateManagerBuilder) -> StateManagerBuilder {
        builder.migrations::<Self>(both_steps())
    }
}

/// Whether a state went through each migration at most once, in their order.
pub(super) fn in_order(steps: &[u32]) -> bool {
    matches!(steps, [] | [1 | 2] | [1, 2])
}

/// What a state of any version holds, read without the library.
pub(super) fn read(json: &[u8]) -> (Vec<u32>, Vec<Entry>) {
    if let Ok(v3::Notes { steps, turns }) = serde_json::from_slice(json) {
        return (steps, turns);
    }
    if let Ok(v2::Notes { steps, entries }) = serde_json::from_slice(json) {
        return (steps, entries);
    }
    let v1::Notes { lines } = serde_json::from_slice(json).unwrap();
    (Vec::new(), lines)
}
