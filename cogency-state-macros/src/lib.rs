//! The `#[robust]` attribute.
