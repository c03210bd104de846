//! Other libraries, used as their documentation says.

pub(crate) mod cached;
pub(crate) mod graph_flow;
pub(crate) mod opendal;
pub(crate) mod tower_sessions;
