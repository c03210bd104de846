//! How much of histories a backend was told to keep, and how large a state it keeps whole.

use crate::history::Retention;

/// What is kept of what happened to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    History(Retention),
    Nothing,
}

impl Keeps {
    /// How much stays, where a history is kept.
    pub(super) fn retention(self) -> Option<Retention> {
        match self {
            Self::History(retention) => Some(retention),
            Self::Nothing => None,
        }
    }

    /// What [`parse`](Self::parse) reads, for messages.
    pub(super) const LEGAL: &str = "`off`, `all`, a number of versions or a duration, as `90d`";

    /// What stands behind `history=` in a URL.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let retention = match value {
            "off" => return Some(Self::Nothing),
            "all" => Retention::All,
            _ => match value.parse() {
                Ok(0) => return None,
                Ok(versions) => Retention::Versions(versions),
                Err(_) => Retention::Age(humantime::parse_duration(value).ok()?),
            },
        };
        Some(Self::History(retention))
    }
}

/// What [`bytes`] reads, for messages.
pub(super) const LEGAL_BYTES: &str = "a number of bytes, as `65536`, `64KB` or `1MB`";

/// What stands behind `whole=` in a URL.
pub(super) fn bytes(value: &str) -> Option<usize> {
    let units = [("KB", 1 << 10), ("MB", 1 << 20)];
    let found = units.iter().find_map(|(unit, size)| Some((value.strip_suffix(unit)?, *size)));
    let (number, size) = found.unwrap_or((value, 1));
    number.parse::<usize>().ok()?.checked_mul(size)
}
