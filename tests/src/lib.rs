//! What the tests share.

pub mod page;
