//! Histories, as they have to be on every backend that keeps one.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod known;
mod memory;
mod place;
mod sequences;
mod step;
mod world;
