//! Large things that a state names instead of holding them.
//!
//! | | |
//! |---|---|
//! | `id` | what names one |
//! | `form` | how one is written and read |
//! | `scope` | what it knows meanwhile |

mod form;
mod id;
mod scope;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Error;
use crate::key::StateKey;

pub use id::{BlobId, NoBlobId};
pub(crate) use scope::{collecting, reading};

/// The most bytes that a [`Blob`] may have to be saved: 64 MiB.
pub const MAX_BLOB_BYTES: usize = 64 << 20;

/// An image, a PDF, or whatever else is too large to stand in a state: it is stored once beside it,
/// by the hash of its bytes, and the state's JSON only names it.
///
/// A save stores the blobs that are new, durably, before the state that names them; what is stored
/// already is neither sent nor written again. A load gives the state at once; the bytes come when
/// somebody asks for them. A blob goes when nothing names it any more: not the state, no version
/// that its history keeps, nothing that was set aside or waits in the spool.
///
/// ```
/// use cogency_state::{Blob, MemoryBackend, StateKey, StateManager};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Chat {
///     turns: Vec<String>,
///     images: Vec<Blob>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cogency_state::Error> {
/// let manager = StateManager::new(MemoryBackend::new());
/// let key = StateKey::for_user("alice")?;
///
/// let mut call = manager.begin::<Chat>(&key).await?;
/// let image = Blob::new(vec![0x89, b'P', b'N', b'G']).with_media_type("image/png");
/// call.state.images.push(image);
/// call.commit().await?;
///
/// let chat = manager.load_state::<Chat>(&key).await?.expect("saved above").state;
/// let image = &chat.images[0];
/// assert_eq!((image.len(), image.media_type()), (4, Some("image/png")));
/// assert_eq!(&image.load().await?[..], b"\x89PNG");
/// # Ok(())
/// # }
/// ```
///
/// # As JSON
/// ```json
/// {"$blob": "sha256:2cf2...9824", "bytes": 123456, "media_type": "image/png"}
/// ```
///
/// Another program's serializer, `serde_json::to_string` for one, cannot store anything beside what
/// it writes: there a blob that is not stored yet is written with its bytes, as base64 in a field
/// `data`, and one that is stored without them. Both can be read again: the first is a new blob, and
/// the second finds its bytes where a [`StateManager`](crate::StateManager) reads it from the state
/// that it is stored with.
///
/// Two blobs are equal if their bytes are, whatever their media types. A copy shares the bytes.
#[derive(Clone)]
pub struct Blob {
    id: BlobId,
    len: u64,
    media_type: Option<Arc<str>>,
    content: Content,
}

/// Where the bytes are.
#[derive(Clone)]
enum Content {
    Here(Bytes),
    /// `None` where it was read by somebody who does not know.
    Stored(Option<Origin>),
}

/// Where blobs are stored: beside a state.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) key: StateKey,
}

/// A place that has blobs.
#[async_trait]
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// The bytes of a blob that is stored under a key.
    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Bytes, Error>;
}

impl Blob {
    /// A blob of these bytes. Their hash is made here, which takes some milliseconds for each MiB.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (id, len) = (BlobId::of(&bytes), bytes.len() as u64);
        Self { id, len, media_type: None, content: Content::Here(bytes) }
    }

    /// The same with what its bytes are, such as `image/png`.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl AsRef<str>) -> Self {
        self.media_type = Some(media_type.as_ref().into());
        self
    }

    /// What names it: the hash of its bytes.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What its bytes are, where somebody said so.
    #[must_use]
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Its bytes. Those of a stored one are loaded anew each time: keep them for as long as you need
    /// them.
    ///
    /// # Errors
    /// [`Error::BlobMissing`] if it is not stored any more, as one that only a pruned version of the
    /// state named; [`Error::Corrupt`] if what is stored has another hash; [`Error::Config`] if it
    /// was read by something else than a [`StateManager`](crate::StateManager), and does not know
    /// where its bytes are; [`Error::Backend`] if the backend fails.
    ///
    /// # Cancellation
    /// It may be dropped.
    pub async fn load(&self) -> Result<Bytes, Error> {
        match &self.content {
            Content::Here(bytes) => Ok(bytes.clone()),
            Content::Stored(Some(origin)) => origin.source.load_blob(&origin.key, self.id).await,
            Content::Stored(None) => Err(Error::Config {
                reason: format!(
                    "it is not known where the blob {} is stored: load its state with a \
                     `StateManager`",
                    self.id
                ),
            }),
        }
    }

    /// Its bytes, if they are not only stored.
    pub(crate) fn here(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Here(bytes) => Some(bytes),
            Content::Stored(_) => None,
        }
    }

    /// Where it is stored, if that is known.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        match &self.content {
            Content::Stored(origin) => origin.as_ref(),
            Content::Here(_) => None,
        }
    }

    /// The same with its bytes.
    pub(crate) fn with_bytes(mut self, bytes: Bytes) -> Self {
        self.content = Content::Here(bytes);
        self
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Blob {}

impl Hash for Blob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// Contents are private.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("id", &self.id)
            .field("len", &self.len)
            .field("media_type", &self.media_type)
            .finish_non_exhaustive()
    }
}
