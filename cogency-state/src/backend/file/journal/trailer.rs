//! The end of a line, of a fixed width: what the end of the file tells without the rest of it.

use crate::expires_at::ExpiresAt;
use crate::history::Kind;
use crate::record::Checksum;

/// Of every line.
pub(super) const LENGTH: usize = 138;
/// What stands before it in a line whose record expires.
const EXPIRES: &str = ",\"expires_at\":";
const EXPIRES_LENGTH: usize = EXPIRES.len() + TIME;
/// The longest of both.
pub(in crate::backend::file) const MAX_LENGTH: usize = LENGTH + EXPIRES_LENGTH;

/// A time in quotes.
const TIME: usize = 29;
const DIGITS: usize = 16;
/// What follows the digits of the checksum.
const END: &str = "\"}\n";

/// What stands at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::file) struct Trailer {
    pub(in crate::backend::file) kind: Kind,
    /// In microseconds since 1970.
    pub(in crate::backend::file) at: u64,
    /// Whether the key has a record after it.
    pub(in crate::backend::file) has_record: bool,
    pub(in crate::backend::file) expires_at: Option<ExpiresAt>,
    /// Where its line starts, in bytes.
    pub(in crate::backend::file) starts: u64,
    /// Where the line starts that its rebuild begins with.
    pub(in crate::backend::file) needs: u64,
}

impl Trailer {
    /// Closes a line that has all but its trailer.
    pub(super) fn close(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(self.text().as_bytes());
        let checksum = Checksum::of(line);
        line.extend_from_slice(format!("{checksum}{END}").as_bytes());
    }

    /// Up to its checksum.
    fn text(&self) -> String {
        let Self { kind, at, has_record, expires_at, starts, needs } = self;
        let kind = format!("\"{}\"", kind.as_str());
        // A time is JSON in any case.
        let expires_at = expires_at.map_or(String::new(), |at| {
            format!("{EXPIRES}{}", serde_json::to_string(&at).unwrap_or_default())
        });
        format!(
            "{expires_at},\"kind\":{kind:<10},\"at\":{at:>17},\"record\":{has_record:<5},\
             \"starts\":{starts:>13},\"needs\":{needs:>13},\"line_checksum\":\""
        )
    }

    /// Reads it from the end of a line, and gives its length. What is not exactly what would be
    /// written is none.
    pub(in crate::backend::file) fn parse(line: &[u8]) -> Option<(Self, usize)> {
        let from = line.len().checked_sub(LENGTH)?;
        let text = std::str::from_utf8(line.get(from..)?).ok()?;
        let (kind, rest) = text.strip_prefix(",\"kind\":\"")?.split_once('"')?;
        let (at, rest) = number(rest, ",\"at\":")?;
        let (has_record, rest) = rest.strip_prefix(",\"record\":")?.split_once(',')?;
        let (starts, rest) = number(rest, "\"starts\":")?;
        let (needs, _) = number(rest, ",\"needs\":")?;
        let expires_at = expires_at(line.get(..from)?);
        let trailer = Self {
            kind: Kind::parse(kind)?,
            at,
            has_record: has_record.trim_end() == "true",
            expires_at,
            starts,
            needs,
        };
        let length = LENGTH + expires_at.map_or(0, |_| EXPIRES_LENGTH);
        let text = line.get(line.len().checked_sub(length)?..line.len() - DIGITS - END.len())?;
        let is_same = text == trailer.text().as_bytes() && line.ends_with(END.as_bytes());
        is_same.then_some((trailer, length))
    }

    /// Whether a line is what was written.
    pub(super) fn is_intact(line: &[u8]) -> bool {
        let Some(at) = line.len().checked_sub(DIGITS + END.len()) else { return false };
        let (text, rest) = line.split_at(at);
        rest.starts_with(Checksum::of(text).to_string().as_bytes())
    }
}

/// A number behind a label, and what follows it.
fn number<'a>(text: &'a str, label: &str) -> Option<(u64, &'a str)> {
    let text = text.trim_start_matches(' ').strip_prefix(label)?.trim_start_matches(' ');
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

/// The time at the end of what stands before a trailer. No state ends so: a text has no quotes in
/// it that are not escaped, and all else is closed by a bracket.
fn expires_at(before: &[u8]) -> Option<ExpiresAt> {
    let text = before.get(before.len().checked_sub(EXPIRES_LENGTH)?..)?;
    serde_json::from_slice(text.strip_prefix(EXPIRES.as_bytes())?).ok()
}
