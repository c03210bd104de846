//! From an id to the name of a folder, and back.
//!
//! Any two ids have different names on every file system, also where letter case or Unicode
//! normalization is ignored, where names such as `con` are reserved, and where a name ends at 255
//! bytes. Lower case letters, digits, `-` and `_` stand for themselves, every other byte is `%`
//! and two digits (as in RFC 3986). A name that would be too long ends in the SHA-256 of the id.

use std::fmt::Write as _;

use crate::percent::decoded;
use sha2::{Digest, Sha256};

/// Short enough for any file system, long enough for nearly any id.
const MAX_NAME_BYTES: usize = 200;
/// How much of a long id stays readable in front of its hash.
const KEPT_BYTES: usize = 100;
/// Between the two; no id's own byte is written so.
const BEFORE_HASH: char = '~';

pub(crate) fn folder_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        push(&mut name, byte);
    }
    if is_reserved(&name) {
        name.clear();
        name.push_str(&escaped(id.as_bytes().first().copied().unwrap_or_default()));
        id.bytes().skip(1).for_each(|byte| push(&mut name, byte));
    }
    if name.len() > MAX_NAME_BYTES { shortened(&name, id) } else { name }
}

/// The id that has this name; `None` if the name ends in a hash, or is no name that we give.
pub(crate) fn id_of(name: &str) -> Option<String> {
    let id = decoded(name)?;
    (folder_name(&id) == name).then_some(id)
}

/// Whether the id of this name has to be looked up in the record below it.
pub(crate) fn is_shortened(name: &str) -> bool {
    name.contains(BEFORE_HASH)
}

/// Whether this is a name that we give.
pub(crate) fn is_name(name: &str) -> bool {
    is_shortened(name) || id_of(name).is_some()
}

fn push(name: &mut String, byte: u8) {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
        _ => name.push_str(&escaped(byte)),
    }
}

fn escaped(byte: u8) -> String {
    format!("%{byte:02x}")
}

fn shortened(name: &str, id: &str) -> String {
    let mut short = name.get(..KEPT_BYTES).unwrap_or(name).to_owned();
    short.push(BEFORE_HASH);
    for byte in Sha256::digest(id.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}

/// The device names of Windows, where a folder cannot have them.
fn is_reserved(name: &str) -> bool {
    match name.as_bytes() {
        b"con" | b"prn" | b"aux" | b"nul" => true,
        [a, b, c, b'0'..=b'9'] => matches!(&[*a, *b, *c], b"com" | b"lpt"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const HOSTILE: &[&str] = &[
        "alice",
        "Alice",
        "ALICE",
        "a:b",
        "a/b",
        "a\\b",
        "a_b",
        "a%b",
        "a%25b",
        "%61",
        "a",
        ".",
        "..",
        "...",
        "a.",
        "a ",
        " a",
        "*",
        "[a]l",
        "?",
        "con",
        "CON",
        "%63on",
        "nul",
        "com1",
        "com1.txt",
        "é",
        "e\u{301}",
        "\u{202e}abc",
        "日本語",
        "🚀",
        "~",
        "a~b",
        "\n",
        "\"",
        "'",
        "@processes",
        "default",
    ];

    #[test]
    fn different_ids_have_different_names_also_without_letter_case() {
        let names: HashSet<_> = HOSTILE.iter().map(|id| folder_name(id).to_lowercase()).collect();
        assert_eq!(names.len(), HOSTILE.len());
    }

    #[test]
    fn a_name_gives_its_id_back() {
        for id in HOSTILE {
            assert_eq!(id_of(&folder_name(id)).as_deref(), Some(*id));
        }
    }

    #[test]
    fn a_name_has_only_harmless_characters_and_is_not_reserved() {
        for id in HOSTILE {
            let name = folder_name(id);
            let harmless =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_%".contains(c);
            assert!(name.chars().all(harmless), "{name}");
            assert!(!is_reserved(&name), "{name}");
        }
    }

    #[test]
    fn long_ids_that_differ_at_the_end_have_different_names_that_fit() {
        let (a, b) = ("x".repeat(1023) + "a", "x".repeat(1023) + "b");
        let (a, b) = (folder_name(&a), folder_name(&b));
        assert_ne!(a, b);
        assert!(a.len() <= 255 && is_shortened(&a));
    }

    #[test]
    fn a_cut_between_the_digits_of_an_escape_does_no_harm() {
        let name = folder_name(&"é".repeat(300));
        assert!(name.len() <= 255);
        assert_eq!(id_of(&name), None);
    }

    #[test]
    fn names_that_we_do_not_give_have_no_id() {
        for name in ["Alice", "a.b", "%zz", "%4", "con", "%61"] {
            assert_eq!(id_of(name), None, "{name}");
        }
    }
}
