//! The name of an entry's file: its number in the order of the key's, and the id of its save.

use crate::record::WriteId;

const SUFFIX: &str = ".json";
const SENT: &str = ".sent";
const TEMP_SUFFIX: &str = ".tmp";

/// `0000000001.<write id>.json`, or `0000000001.<write id>.sent.json` of one that was sent to the
/// backend and may be stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryName {
    number: u64,
    write_id: WriteId,
    is_sent: bool,
}

impl EntryName {
    /// Its number comes when its place is known.
    pub(super) fn new(write_id: WriteId, may_be_stored: bool) -> Self {
        Self { number: 0, write_id, is_sent: may_be_stored }
    }

    pub(super) fn behind(&self, last: u64) -> Self {
        Self { number: last.saturating_add(1), ..self.clone() }
    }

    pub(super) fn sent(self) -> Self {
        Self { is_sent: true, ..self }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn write_id(&self) -> WriteId {
        self.write_id
    }

    /// Whether its save may have happened already.
    pub(crate) fn is_sent(&self) -> bool {
        self.is_sent
    }

    pub(super) fn file(&self) -> String {
        let Self { number, write_id, is_sent } = self;
        format!("{number:010}.{write_id}{}{SUFFIX}", if *is_sent { SENT } else { "" })
    }

    /// What its file is called until it is whole.
    pub(super) fn temp(&self) -> String {
        format!("{}{TEMP_SUFFIX}", self.write_id)
    }

    pub(super) fn is_temp(name: &str) -> bool {
        name.strip_suffix(TEMP_SUFFIX).is_some_and(|id| id.parse::<WriteId>().is_ok())
    }

    pub(super) fn parse(file: &str) -> Option<Self> {
        let rest = file.strip_suffix(SUFFIX)?;
        let (rest, is_sent) = rest.strip_suffix(SENT).map_or((rest, false), |rest| (rest, true));
        let (number, write_id) = rest.split_once('.')?;
        let (number, write_id) = (number.parse().ok()?, write_id.parse().ok()?);
        Some(Self { number, write_id, is_sent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_entry_back_and_names_are_in_order() {
        let name = EntryName::new(WriteId::generate(), false);
        let (first, later) = (name.behind(0), name.behind(9).sent());
        for name in [&first, &later] {
            assert_eq!(EntryName::parse(&name.file()).as_ref(), Some(name));
        }
        assert!(first < later && first.file() < later.file());
        assert!(EntryName::is_temp(&name.temp()) && EntryName::parse(&name.temp()).is_none());
        for wrong in ["", "lock", "1.json", "x.y.json", ".json", "state.json"] {
            assert_eq!(EntryName::parse(wrong), None, "{wrong}");
        }
    }
}
