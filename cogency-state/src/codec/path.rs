//! Where in a JSON document an error is, from the line and column that `serde_json` gives.
//!
//! To read the state again with an eye on the path would find the same, but every state type would
//! have to be compiled once more for it.

/// The path to what stands before a line and column, such as `turns[3].role`; `.` for the whole
/// document. Both count from 1, the column in bytes, as `serde_json` counts.
pub(super) fn path_to(json: &[u8], line: usize, column: usize) -> String {
    let before = json.split(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let offset = before.map(|line| line.len() + 1).sum::<usize>() + column;
    let mut walk = Walk::default();
    let mut rest = json.get(..offset.min(json.len())).unwrap_or_default().iter().copied();
    while let Some(byte) = rest.next() {
        walk.step(byte, &mut rest);
    }
    walk.path()
}

/// A value that is open at some point of a document.
enum Open {
    Object { key: String },
    List { index: usize },
}

#[derive(Default)]
struct Walk {
    open: Vec<Open>,
    /// An opening bracket counts when something stands behind it: if it is the last byte, the
    /// error is about the whole list or object.
    opening: Option<Open>,
    /// Whether the next string is a key.
    expects_key: bool,
}

impl Walk {
    fn step(&mut self, byte: u8, rest: &mut impl Iterator<Item = u8>) {
        if byte.is_ascii_whitespace() {
            return;
        }
        self.open.extend(self.opening.take());
        match byte {
            b'{' => self.opening = Some(Open::Object { key: String::new() }),
            b'[' => self.opening = Some(Open::List { index: 0 }),
            b'}' | b']' => drop(self.open.pop()),
            b'"' => self.string(rest),
            b',' => self.next_element(),
            _ => {}
        }
        self.expects_key = matches!(byte, b'{') || (byte == b',' && self.is_in_object());
    }

    fn is_in_object(&self) -> bool {
        matches!(self.open.last(), Some(Open::Object { .. }))
    }

    fn next_element(&mut self) {
        if let Some(Open::List { index }) = self.open.last_mut() {
            *index += 1;
        }
    }

    fn string(&mut self, rest: &mut impl Iterator<Item = u8>) {
        let mut text = Vec::new();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' => text.extend([byte].into_iter().chain(rest.next())),
                _ => text.push(byte),
            }
        }
        if self.expects_key
            && let Some(Open::Object { key }) = self.open.last_mut()
        {
            *key = String::from_utf8_lossy(&text).into_owned();
        }
    }

    fn path(self) -> String {
        let mut path = String::new();
        for open in self.open {
            match open {
                Open::List { index } => path.extend(["[", &index.to_string(), "]"]),
                Open::Object { key } if path.is_empty() || key.is_empty() => path.push_str(&key),
                Open::Object { key } => path.extend([".", &key]),
            }
        }
        if path.is_empty() { ".".to_owned() } else { path }
    }
}

#[cfg(test)]
mod tests {
    use super::path_to;

    fn path_before(marker: &str) -> String {
        let json = marker.replace('^', "");
        path_to(json.as_bytes(), 1, marker.find('^').unwrap())
    }

    #[test]
    fn the_path_leads_to_the_value_before_the_place() {
        assert_eq!(path_before(r#"{"turns":[{"words":1},{"words":"x"^}]}"#), "turns[1].words");
        assert_eq!(path_before("[[1,2],[3,4^]]"), "[1][1]");
        assert_eq!(path_before(r#"{"a":{"b":1},"c":tr^ue}"#), "c");
        assert_eq!(path_before("7^"), ".");
    }

    #[test]
    fn an_opening_bracket_stands_for_the_whole_value() {
        assert_eq!(path_before(r#"{"turns":[^1]}"#), "turns");
        assert_eq!(path_before(r#"{"turns":{^"a":1}}"#), "turns");
    }

    #[test]
    fn brackets_and_quotes_in_strings_are_not_structure() {
        assert_eq!(path_before(r#"{"a":"]},\"[","b":["\\",1^]}"#), "b[1]");
    }

    #[test]
    fn lines_are_counted() {
        assert_eq!(path_to(b"{\n  \"a\": 1,\n  \"b\": x\n}", 3, 8), "b");
    }

    #[test]
    fn a_place_beyond_the_end_does_no_harm() {
        assert_eq!(path_to(b"[1", 9, 9), "[0]");
        assert_eq!(path_to(b"", 0, 0), ".");
        assert_eq!(path_to(b"]]}}", 1, 4), ".");
    }
}
