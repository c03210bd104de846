//! Off: bodies run on fresh states, nothing is stored and nothing is touched.

use std::sync::atomic::{AtomicU8, Ordering};

const BY_ENVIRONMENT: u8 = 0;
const ON: u8 = 1;
const OFF: u8 = 2;

static PROCESS: AtomicU8 = AtomicU8::new(BY_ENVIRONMENT);

/// What switches the process, unless [`set_enabled`] was called.
const VARIABLE: &str = "COGENCY_STATE_ENABLED";

/// Switches all of the library on or off for this process, from the next call on; calls that have
/// begun end as they began.
///
/// Off means that bodies run on fresh states, nothing is stored, and nothing is touched: no file,
/// no server. Retries and time-outs go on. Unless this was called, the environment decides, at
/// each call: off where `COGENCY_STATE_ENABLED` is `0`, `false`, `off` or `no`.
/// [`StateManager::set_enabled`](crate::StateManager::set_enabled) does the same for one manager.
pub fn set_enabled(enabled: bool) {
    PROCESS.store(if enabled { ON } else { OFF }, Ordering::Relaxed);
}

/// Whether the library is switched on in this process.
#[must_use]
pub fn is_enabled() -> bool {
    match PROCESS.load(Ordering::Relaxed) {
        ON => true,
        OFF => false,
        _ => std::env::var_os(VARIABLE).is_none_or(|value| !means_off(&value.to_string_lossy())),
    }
}

fn means_off(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "0" | "false" | "off" | "no")
}

#[cfg(test)]
mod tests {
    use super::means_off;

    #[test]
    fn only_what_says_off_means_off() {
        assert!(["0", "false", "OFF", " no "].iter().all(|value| means_off(value)));
        assert!(["", "1", "true", "on", "yes", "maybe"].iter().all(|value| !means_off(value)));
    }
}
