//! What the library promises, on every backend: a module for each promise.
//!
//! What a backend's process, machine or file system does to a promise is tested beside it: kills,
//! power cuts and hostile file systems in `file_crash`.

mod places;
mod slow;

mod p01_zero_ceremony;
mod p02_all_or_nothing;
mod p03_atomic;
mod p04_durable;
mod p05_no_lost_update;
mod p06_one_at_a_time;
mod p07_no_deadlock;
mod p09_honest_degradation;
mod p10_nothing_unreadable_is_overwritten;
mod p10_quarantine;
mod p11_keys_are_exact;
mod p12_lossless;
mod p13_good_citizen_of_async;
mod p14_erase;
mod p14_private;
mod p15_llm_is_checked;
mod p16_types_may_change;

mod blobs;
mod expiry;
mod stored_format;
