//! What a manager and a `#[robust]` function can be told: the LLM, the phase, when to stop trying,
//! and to be switched off.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used)]

mod attempts;
mod kills;
mod metadata;
mod migrations;
mod presets;
mod switch;

use cogency_state::StateKey;

fn key(user_id: &str) -> StateKey {
    StateKey::for_user(user_id).unwrap()
}
