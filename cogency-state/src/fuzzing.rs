//! What fuzzers call: each decoder of what is stored or told from outside, and what has to hold of
//! whatever it is given. Not there in a program: only under `--cfg fuzzing` (see `fuzz/`) and in
//! tests, which run all of them over the fuzzers' corpus.

#[cfg(feature = "archive")]
pub use crate::archive::fuzz::{archive_file, archive_manifest};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use crate::backend::fuzz_database::database_url;
#[cfg(target_os = "linux")]
pub use crate::backend::fuzz_file::{journal, journal_line};
#[cfg(feature = "redis")]
pub use crate::backend::fuzz_redis::{redis_entry, redis_in_history, redis_lease, redis_url};
pub use crate::envelope::fuzz::envelope;
pub use crate::history::fuzz::{change, history_row, rebuild};
pub use crate::manager::fuzz_spool::spool_entry;

#[cfg(test)]
mod tests;
