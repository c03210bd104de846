//! What the tests share.

pub mod page;
pub mod strict;
