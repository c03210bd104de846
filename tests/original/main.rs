//! Cogency for Python, the original: what its own tests assert, and the opposite of what went wrong
//! with it, on every backend.
//!
//! | the original's tests | here |
//! |---|---|
//! | 1 to 8, of a backend | [`backend`] |
//! | 9 to 14, 17 and 22, of LLMs, metadata and the switch | [`llm`] |
//! | 15 and 16, of a backend that fails | [`backend_fails`] |
//! | 18 to 21, of the state and its agents | [`agents`] |
//!
//! Its defects are in [`defects`] and [`llm`]; those of files alone (temporary names, torn files, permissions,
//! links, full disks, the syncing of folders) in `file_crash`, as `original_defect_...`.

#[allow(dead_code, unused_imports, unused_macros, reason = "it is shared with other tests")]
#[path = "../promises/places.rs"]
mod places;

mod agent_state;
mod agents;
mod backend;
mod backend_fails;
mod defects;
mod fixtures;
mod import;
mod llm;
