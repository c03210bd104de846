//! How much of histories a backend was told to keep.

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
