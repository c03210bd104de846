//! What chains the entries of a history.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256, over an entry and the one before it: who keeps one elsewhere can tell later that
/// nothing up to it was changed. In text it is 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistoryHash([u8; 32]);

impl HistoryHash {
    /// Of nothing: what stands before the first entry.
    pub(crate) const ZERO: Self = Self([0; 32]);

    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of its text, which is one for each: no signs, no capitals, nothing behind.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        let hash = Self(bytes);
        (hash.digits() == text.as_bytes()).then_some(hash)
    }

    /// Its text, without an allocation: each entry has several.
    fn digits(self) -> [u8; 64] {
        let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        text
    }
}

impl fmt::Display for HistoryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits are text in any case.
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for HistoryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HistoryHash({self})")
    }
}

impl<'de> serde::Deserialize<'de> for HistoryHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("it is no hash"))
    }
}

impl serde::Serialize for HistoryHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Digits are text in any case.
        serializer.serialize_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}
