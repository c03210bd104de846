//! Files and manifests of whatever bytes.

// Its panics are what a fuzzer looks for.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::file::{pack, unpack};
use super::manifest::Manifest;

/// A file, and what is in one.
///
/// # Panics
/// If entries that can be read are others when they were written.
pub fn archive_file(data: &[u8]) {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(data).unwrap();
    for file in [Bytes::copy_from_slice(data), compressed.finish().unwrap().into()] {
        let Ok(entries) = unpack(&file) else { continue };
        let again = unpack(&pack(&entries).unwrap()).unwrap();
        assert!(again.len() == entries.len());
        for (entry, again) in entries.iter().zip(&again) {
            assert!(entry.id == again.id && entry.line == again.line);
            let _ = (entry.check(), entry.archived(), entry.past());
        }
    }
}

/// What a file is said to have.
///
/// # Panics
/// If a manifest that can be read is another one when it was written.
pub fn archive_manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else { return };
    let again = Manifest::parse(&manifest.to_json().unwrap()).unwrap();
    assert!(again.ids().ok() == manifest.ids().ok() && again.is_of(data) == manifest.is_of(data));
}
