//! Times as text.

use std::fmt::Display;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that RFC 3339 can write, of the year 9999.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// The last time that can be written.
pub(crate) fn last() -> SystemTime {
    UNIX_EPOCH + LAST_SECOND
}

/// A time in UTC with microseconds, such as `2026-01-31T12:00:00.000000Z`. What comes from outside
/// may lie before 1970 or after 9999: that is shown as the first or the last that there is.
pub(crate) fn format(time: SystemTime) -> impl Display {
    humantime::format_rfc3339_micros(time.clamp(UNIX_EPOCH, last()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_text() {
        let at = |time| format(time).to_string();
        assert_eq!(at(UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(UNIX_EPOCH + 2 * LAST_SECOND), "9999-12-31T23:59:59.000000Z");
    }
}
