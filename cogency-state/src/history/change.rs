//! The change between two serialised states, as JSON that a person can read:
//!
//! ```text
//! [[0,9],"3",[10,4000],",{\"role\":\"user\",\"content\":\"hello\"}",[4010,2]]
//! ```
//!
//! `[from, length]` copies bytes of the state before, from front to back; a text is new. Each piece
//! is whole characters.

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::diff::{Match, matches};

/// A shorter likeness takes less room as text.
const MIN_COPY: usize = 12;

/// A change that does not fit the state that it was to change, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change does not fit the version before it")]
pub(super) struct Unfit;

/// What makes `new` of `old`.
pub(super) fn between(old: &str, new: &str) -> String {
    let mut text = String::from("[");
    let mut done = 0;
    for found in matches(old.as_bytes(), new.as_bytes()) {
        let Some(copy) = whole_characters(new, found) else { continue };
        insert(&mut text, new.get(done..copy.new).unwrap_or_default());
        separate(&mut text);
        text.extend(["[", &copy.old.to_string(), ",", &copy.len.to_string(), "]"]);
        done = copy.new + copy.len;
    }
    insert(&mut text, new.get(done..).unwrap_or_default());
    text.push(']');
    text
}

/// The match without the parts of characters at its ends, if it is worth it. Where a character of
/// the one begins, one of the other does, as the bytes are the same.
fn whole_characters(new: &str, found: Match) -> Option<Match> {
    let Match { old, new: mut from, len } = found;
    let mut to = from + len;
    while from < to && !new.is_char_boundary(from) {
        from += 1;
    }
    while to > from && !new.is_char_boundary(to) {
        to -= 1;
    }
    let whole = Match { old: old + (from - found.new), new: from, len: to - from };
    (whole.len >= MIN_COPY).then_some(whole)
}

fn insert(text: &mut String, new: &str) {
    if !new.is_empty() {
        separate(text);
        // A string is JSON in any case.
        text.push_str(&serde_json::to_string(new).unwrap_or_default());
    }
}

fn separate(text: &mut String) {
    if text.len() > 1 {
        text.push(',');
    }
}

/// What a change makes of a state. It takes no more memory than both together: what is copied is
/// copied once.
pub(super) fn apply(old: &str, change: &str) -> Result<String, Unfit> {
    let pieces: Vec<Piece<'_>> = serde_json::from_str(change).map_err(|_| Unfit)?;
    let mut new = String::with_capacity(old.len() + change.len());
    let mut copied = 0;
    for piece in pieces {
        match piece {
            Piece::New(text) => new.push_str(&text),
            Piece::Copy(from, len) => {
                let to = from.checked_add(len).ok_or(Unfit)?;
                let is_behind = from >= copied;
                new.push_str(old.get(from..to).filter(|_| is_behind).ok_or(Unfit)?);
                copied = to;
            }
        }
    }
    Ok(new)
}

enum Piece<'a> {
    Copy(usize, usize),
    New(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Piece<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pieces;
        impl<'de> Visitor<'de> for Pieces {
            type Value = Piece<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a place and a length")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Piece<'de>, E> {
                Ok(Piece::New(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Piece<'de>, E> {
                Ok(Piece::New(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Piece<'de>, A::Error> {
                let (Some(from), Some(len)) = (pair.next_element()?, pair.next_element()?) else {
                    return Err(serde::de::Error::invalid_length(1, &self));
                };
                Ok(Piece::Copy(from, len))
            }
        }
        deserializer.deserialize_any(Pieces)
    }
}

#[cfg(test)]
mod tests;
