//! Texts as JSON has them, many bytes at a time: `serde_json` looks at one after the other, and most
//! of a state is text.

/// Shorter texts are as quick the other way.
pub(super) const WORTH_IT: usize = 24;

/// So many bytes are looked at together.
const BLOCK: usize = 32;

/// Appends a text, as `serde_json` writes it.
pub(super) fn quote(text: &str, json: &mut String) {
    json.reserve(text.len() + 2);
    json.push('"');
    let mut rest = text;
    while let Some((plain, special, after)) = split(rest) {
        json.push_str(plain);
        escape(special, json);
        rest = after;
    }
    json.push_str(rest);
    json.push('"');
}

/// What stands before the first character that has to be escaped, that, and what follows.
fn split(text: &str) -> Option<(&str, u8, &str)> {
    let bytes = text.as_bytes();
    // Without a branch for each byte a processor looks at many in one step.
    let is_plain = |block: &&[u8]| !block.iter().fold(false, |any, &byte| any | is_special(byte));
    let plain = bytes.chunks_exact(BLOCK).take_while(is_plain).count() * BLOCK;
    let further = bytes.get(plain..)?.iter().position(|&byte| is_special(byte))?;
    // It is ASCII, so that a character begins before and behind it.
    let (before, rest) = text.split_at_checked(plain + further)?;
    Some((before, *rest.as_bytes().first()?, rest.get(1..)?))
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(special: u8, json: &mut String) {
    match special {
        b'"' => json.push_str("\\\""),
        b'\\' => json.push_str("\\\\"),
        b'\n' => json.push_str("\\n"),
        b'\r' => json.push_str("\\r"),
        b'\t' => json.push_str("\\t"),
        0x08 => json.push_str("\\b"),
        0x0c => json.push_str("\\f"),
        control => {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
            json.push_str("\\u00");
            json.extend([digit(control >> 4), digit(control & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quote;

    fn quoted(text: &str) -> String {
        let mut json = String::new();
        quote(text, &mut json);
        json
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "[\\x00-\\x7fé日\u{10ffff}\"\\\\]{0,200}") {
            prop_assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn each_ascii_character_is_written_as_serde_json_writes_it_wherever_it_stands() {
        for character in (0..=0x7f).map(char::from) {
            for before in [0, 1, 31, 32, 33, 64] {
                let text = format!("{}{character}é", "a".repeat(before));
                assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
            }
        }
    }
}
