//! Folders, files and locks that are private, are not reached through links, and survive a power
//! cut: what the file backend and the spool stand on.

pub(crate) mod folder;
pub(crate) mod lock;
pub(crate) mod names;
