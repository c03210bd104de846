//! When the record in a document expires.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::rfc3339;

/// A moment by the host's clock. As text it is RFC 3339 in UTC, as [`rfc3339::format`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpiresAt(SystemTime);

impl ExpiresAt {
    /// So long after now; `None` if that is beyond what can be written.
    pub(crate) fn after(ttl: Duration) -> Option<Self> {
        let at = SystemTime::now().checked_add(ttl)?;
        (at <= rfc3339::last()).then_some(Self(at))
    }

    pub(crate) fn is_over(self, now: SystemTime) -> bool {
        self.0 <= now
    }

    /// What a document that begins so says, without a look at the rest of it. Whether that is
    /// true only who reads the whole document can tell.
    ///
    /// The field stands right behind the schema version.
    pub(crate) fn at_a_glance(beginning: &[u8]) -> Option<Self> {
        let rest = behind(beginning, b"{")?;
        let rest = behind(behind(rest, b"\"schema_version\"")?, b":")?;
        let (_, rest) = string(rest)?;
        let rest = behind(behind(rest, b",")?, b"\"expires_at\"")?;
        let (text, _) = string(behind(rest, b":")?)?;
        Self::parse(text)
    }

    fn parse(text: &str) -> Option<Self> {
        humantime::parse_rfc3339(text).map(Self).ok()
    }
}

/// What follows a token of JSON.
fn behind<'a>(json: &'a [u8], token: &[u8]) -> Option<&'a [u8]> {
    json.trim_ascii_start().strip_prefix(token)
}

/// A string without escapes, and what follows it.
fn string(json: &[u8]) -> Option<(&str, &[u8])> {
    let rest = behind(json, b"\"")?;
    let (text, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'"')?)?;
    Some((std::str::from_utf8(text).ok()?, behind(rest, b"\"")?))
}

impl Serialize for ExpiresAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&rfc3339::format(self.0))
    }
}

impl<'de> Deserialize<'de> for ExpiresAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a time of RFC 3339 in UTC"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> ExpiresAt {
        ExpiresAt(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn it_is_text_and_comes_back() {
        let text = serde_json::to_string(&at(1)).unwrap();
        assert_eq!(text, r#""1970-01-01T00:00:01.000000Z""#);
        assert_eq!(serde_json::from_str::<ExpiresAt>(&text).unwrap(), at(1));
        for wrong in ["1", "\"\"", "\"tomorrow\"", "\"1970-01-01T00:00:01\"", "{}"] {
            assert!(serde_json::from_str::<ExpiresAt>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_over_from_its_moment_on() {
        let now = UNIX_EPOCH + Duration::from_secs(5);
        assert!(at(4).is_over(now) && at(5).is_over(now) && !at(6).is_over(now));
    }

    #[test]
    fn what_cannot_be_written_is_never() {
        assert_eq!(ExpiresAt::after(Duration::MAX), None);
        assert_eq!(ExpiresAt::after(Duration::from_secs(8000 * 366 * 24 * 60 * 60)), None);
        assert!(ExpiresAt::after(Duration::from_secs(1)).is_some());
    }

    #[test]
    fn it_is_seen_behind_the_schema_version_however_that_is_spaced() {
        let seen = |json: &str| ExpiresAt::at_a_glance(json.as_bytes());
        let time = r#""1970-01-01T00:00:01Z""#;
        for json in [
            format!("{{\n  \"schema_version\": \"1.0\",\n  \"expires_at\": {time},\n  \"us"),
            format!("{{\"schema_version\":\"1.0\",\"expires_at\":{time}"),
            format!(" {{ \"schema_version\" : \"1.0\" , \"expires_at\" : {time} }}"),
        ] {
            assert_eq!(seen(&json), Some(at(1)), "{json}");
            assert!((0..json.len() - 30).all(|cut| seen(&json[..cut]).is_none()), "{json}");
        }
        for json in ["", "{", "[]", "{\"schema_version\": \"1.0\", \"user_id\": \"expires_at\"}"] {
            assert_eq!(seen(json), None, "{json}");
        }
    }
}
