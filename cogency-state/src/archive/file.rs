//! A file of an archive: lines of JSON, compressed by gzip.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::Entry;
use super::problem::Problem;

/// What files and manifests say that they are.
pub(super) const FORMAT: &str = "cogency-archive";
/// Of the format.
pub(super) const VERSION: u64 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u64,
    entries: usize,
}

/// Compresses entries. It takes a while.
pub(super) fn pack(entries: &[Entry]) -> Result<Bytes, Problem> {
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    let head = Head { format: FORMAT.to_owned(), version: VERSION, entries: entries.len() };
    let head = serde_json::to_vec(&head).map_err(Problem::NotJson)?;
    file.write_all(&head)?;
    for entry in entries {
        file.write_all(b"\n")?;
        file.write_all(&entry.line)?;
    }
    file.write_all(b"\n")?;
    Ok(file.finish()?.into())
}

/// The entries in a file. It takes a while.
pub(super) fn unpack(file: &Bytes) -> Result<Vec<Entry>, Problem> {
    const DAMAGED: Problem = Problem::Damaged("it has fewer lines than it should, or more");
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(&**file).read_to_end(&mut text);
    read.map_err(|_| Problem::Damaged("it cannot be decompressed"))?;
    let text = Bytes::from(text);
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| text.slice_ref(line));
    let head: Head = serde_json::from_slice(&lines.next().ok_or(DAMAGED)?)
        .map_err(|_| Problem::Damaged("its first line is not that of an archive"))?;
    if head.version != VERSION {
        return Err(Problem::OfTheFuture(head.version));
    }
    let entries = lines.filter(|line| !line.is_empty()).map(|line| Entry::parse(&line));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    if entries.len() == head.entries { Ok(entries) } else { Err(DAMAGED) }
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(super) fn sha256(file: &[u8]) -> String {
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(file) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
