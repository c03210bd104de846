//! What the tests share.

pub mod page;
pub mod redis;
pub mod strict;
