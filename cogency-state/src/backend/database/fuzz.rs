//! URLs of whatever bytes.

use super::url::parse;

/// A URL.
///
/// # Panics
/// If an error repeats the URL, which may hold a password.
pub fn database_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = parse(text) {
        assert!(!text.contains("hunter2") || !format!("{error} {error:?}").contains("hunter2"));
    }
}
