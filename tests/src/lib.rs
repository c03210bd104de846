//! What the tests share.

pub mod strict;
