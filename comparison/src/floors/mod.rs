//! The tightest code that one writes by hand: no lease, no checksum, and no proof that what was
//! written can be read again.

mod change;
pub(crate) mod file;
pub(crate) mod memory;
pub(crate) mod redis;
pub(crate) mod sql;
pub(crate) mod together;

use crate::chat::{Chat, Turn};
use crate::contestant::Outcome;

/// A chat after a turn.
fn turned(json: &[u8], turn: Turn) -> Outcome<Vec<u8>> {
    let mut chat: Chat = serde_json::from_slice(json)?;
    turn(&mut chat);
    Ok(serde_json::to_vec(&chat)?)
}
