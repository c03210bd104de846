//! The conformance suite on the backends of this library, and on broken ones.

mod broken;
mod fault;
mod file;
mod memory;
mod table;
