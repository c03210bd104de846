//! A blob as serde sees it: what names it; its bytes only where nobody stores them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Blob, BlobId, Content, scope};

/// In a format that people read.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Blob")]
struct Form {
    #[serde(rename = "$blob")]
    id: BlobId,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// In a format without names all of it stands in its place.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Blob")]
struct Packed(BlobId, u64, Option<String>, Option<Vec<u8>>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_stored = scope::note(self);
        let (id, bytes) = (self.id, self.len);
        let media_type = self.media_type().map(str::to_owned);
        let data = self.here().filter(|_| !is_stored);
        if serializer.is_human_readable() {
            let data = data.map(|data| STANDARD.encode(data));
            Form { id, bytes, media_type, data }.serialize(serializer)
        } else {
            Packed(id, bytes, media_type, data.map(|data| data.to_vec())).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Packed(id, bytes, media_type, data) = if deserializer.is_human_readable() {
            let Form { id, bytes, media_type, data } = Form::deserialize(deserializer)?;
            let data = data.map(|data| STANDARD.decode(data)).transpose();
            let data = data.map_err(|_| D::Error::custom("its data are not base64"))?;
            Packed(id, bytes, media_type, data)
        } else {
            Packed::deserialize(deserializer)?
        };
        let content = match data {
            Some(data) if data.len() as u64 != bytes || BlobId::of(&data) != id => {
                return Err(D::Error::custom("its data are not what its id says"));
            }
            Some(data) => Content::Here(Bytes::from(data)),
            None => Content::Stored(scope::origin()),
        };
        Ok(Self { id, len: bytes, media_type: media_type.map(Into::into), content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> Blob {
        Blob::new("hello").with_media_type("text/plain")
    }

    #[test]
    fn where_nobody_stores_it_the_bytes_are_written_too() {
        let json = serde_json::to_string(&blob()).unwrap();
        assert_eq!(
            json,
            r#"{"$blob":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","bytes":5,"media_type":"text/plain","data":"aGVsbG8="}"#
        );
        let read: Blob = serde_json::from_str(&json).unwrap();
        assert_eq!((read.here(), read.media_type()), (blob().here(), Some("text/plain")));
    }

    #[test]
    fn where_somebody_stores_it_only_what_names_it_is_written() {
        let (json, blobs) = scope::collecting(|| serde_json::to_string(&blob()).unwrap());
        assert!(!json.contains("data") && json.contains("$blob"), "{json}");
        assert_eq!(blobs, [blob()]);
        let read: Blob = serde_json::from_str(&json).unwrap();
        assert_eq!((read.len(), read.here()), (5, None));
        // What has no bytes goes on without them.
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    #[test]
    fn bytes_that_are_not_those_of_the_id_are_refused() {
        let json = serde_json::to_string(&blob()).unwrap();
        for (from, to) in [("aGVs", "aGVt"), ("\"bytes\":5", "\"bytes\":6"), ("aGVs", "!")] {
            assert!(serde_json::from_str::<Blob>(&json.replace(from, to)).is_err(), "{to}");
        }
    }
}
