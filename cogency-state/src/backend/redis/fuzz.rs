//! Values and URLs of whatever bytes.

use super::claim::holder;
use super::url::parse;

/// What stands under the key of a lease.
pub fn redis_lease(data: &[u8]) {
    let _ = (holder(data).to_string(), serde_json::to_vec(&holder(data)));
}

/// A URL.
///
/// # Panics
/// If an error repeats the URL, which may hold a password.
pub fn redis_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = parse(text) {
        assert!(!text.contains("hunter2") || !format!("{error} {error:?}").contains("hunter2"));
    }
}
