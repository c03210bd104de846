//! The names of what is kept on the server.
//!
//! ```text
//! cogency:state:alice:default                 a record
//! cogency:lease:{cogency:state:alice:default} who holds its lease; braces keep it on the record's
//!                                             node of a cluster
//! cogency:tmp:{cogency:state:alice:default}:… a large value on its way to the record
//! cogency:blobs:{cogency:state:alice:default} what the record names, by its hash
//! cogency:history:{cogency:state:alice:default}, cogency:contents:{…}
//!                                             what happened to it, see the module `entry`
//! cogency:index:alice                         the user's sessions that have a record
//! cogency:aside:…, cogency:asides             what was set aside, see the module `aside`
//! ```
//!
//! Ids stand as they are, but for the characters that mean something here or that could forge a
//! line of a log: these are `%` and two digits for each byte (as in RFC 3986). So two keys that
//! differ have different names, and plain ones have the name that the original gives them.

use std::fmt::Display;

use crate::key::StateKey;
use crate::percent::decoded;

/// Makes names below a prefix.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// The names of a record, of its lease and of its history.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) record: String,
    pub(super) lease: String,
    pub(super) history: String,
    pub(super) contents: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn of(&self, key: &StateKey) -> Names {
        let record = self.record(key);
        Names {
            lease: self.beside("lease", &record),
            history: self.history(&record),
            contents: self.contents(&record),
            record,
        }
    }

    /// What happened to a record.
    pub(super) fn history(&self, record: &str) -> String {
        self.beside("history", record)
    }

    /// What large entries of its history keep.
    pub(super) fn contents(&self, record: &str) -> String {
        self.beside("contents", record)
    }

    fn beside(&self, what: &str, record: &str) -> String {
        [&*self.prefix, ":", what, ":{", record, "}"].concat()
    }

    /// A pattern that the names of all histories match.
    pub(super) fn any_history(&self) -> String {
        pattern(&format!("{}:history:{{{}", self.prefix, self.before_records()))
    }

    /// The key of a history's name.
    pub(super) fn key_of_history(&self, name: &str) -> Option<StateKey> {
        let record = name.strip_prefix(&format!("{}:history:{{", self.prefix))?;
        let record = record.strip_suffix('}')?;
        self.key_of(record).filter(|key| self.record(key) == record)
    }

    /// Where a large value waits for the script that puts it in place.
    pub(super) fn temporary(&self, record: &str, write: impl Display) -> String {
        format!("{}:tmp:{{{record}}}:{write}", self.prefix)
    }

    pub(super) fn record(&self, key: &StateKey) -> String {
        const SEPARATORS: usize = ":state::".len();
        let ids = key.user_id().len() + key.session_id().len();
        let mut name = String::with_capacity(self.prefix.len() + SEPARATORS + ids);
        name.push_str(&self.prefix);
        name.push_str(":state:");
        push(&mut name, key.user_id());
        name.push(':');
        push(&mut name, key.session_id());
        name
    }

    pub(super) fn index(&self, user_id: &str) -> String {
        let mut name = format!("{}:index:", self.prefix);
        push(&mut name, user_id);
        name
    }

    /// The blobs that a record names.
    pub(super) fn blobs(&self, record: &str) -> String {
        format!("{}:blobs:{{{record}}}", self.prefix)
    }

    /// What is known of the records of a key that were set aside.
    pub(super) fn aside(&self, key: &StateKey) -> String {
        format!("{}:aside:{{{}}}", self.prefix, self.record(key))
    }

    /// A record that was set aside.
    pub(super) fn aside_record(&self, key: &StateKey, id: impl Display) -> String {
        format!("{}:{id}", self.aside(key))
    }

    /// All that there may be of a record that was set aside: what is known of those of its key, the
    /// record, and its history where that could not be gone on with.
    pub(super) fn aside_of(&self, key: &StateKey, id: impl Display) -> [String; 4] {
        let place = self.aside_record(key, id);
        let (history, contents) = (format!("{place}:history"), format!("{place}:contents"));
        [self.aside(key), place, history, contents]
    }

    /// The users of whom something was set aside.
    pub(super) fn aside_users(&self) -> String {
        format!("{}:asides", self.prefix)
    }

    /// The sessions of a user of which something was set aside.
    pub(super) fn aside_sessions(&self, user_id: &str) -> String {
        let mut name = format!("{}:asides:", self.prefix);
        push(&mut name, user_id);
        name
    }

    /// A pattern that all records' names match.
    pub(super) fn any_record(&self) -> String {
        pattern(&self.before_records())
    }

    /// The key of a record's name, also of one that the original gave without escapes: a session
    /// of the original's has no colon.
    pub(super) fn key_of(&self, name: &str) -> Option<StateKey> {
        let ids = name.strip_prefix(&self.before_records())?;
        let own = || {
            let (user, session) = ids.split_once(':')?;
            let key = StateKey::new(decoded(user)?, decoded(session)?).ok()?;
            (self.record(&key) == name).then_some(key)
        };
        let original = || {
            let (user, session) = ids.rsplit_once(':')?;
            StateKey::new(user, session).ok()
        };
        own().or_else(original)
    }

    fn before_records(&self) -> String {
        format!("{}:state:", self.prefix)
    }
}

/// A pattern that all names match that begin so.
fn pattern(beginning: &str) -> String {
    let mut pattern = String::with_capacity(beginning.len() + 1);
    for c in beginning.chars() {
        if "*?[]^\\".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

fn push(name: &mut String, id: &str) {
    use std::fmt::Write as _;
    let is_special = |c: char| c.is_control() || matches!(c, '%' | ':' | '{' | '}');
    if !id.contains(is_special) {
        return name.push_str(id);
    }
    for c in id.chars() {
        if is_special(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(name, "%{byte:02X}");
            }
        } else {
            name.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::record::WriteId;

    const IDS: [&str; 16] = [
        "alice", "Alice", "a:b", "a%3Ab", "a%b", "%", "%%", "{a}", "{", "}", "a b", "*", "a\nb",
        "日本", "\u{85}", "default",
    ];

    fn key(user_id: &str, session_id: &str) -> StateKey {
        StateKey::new(user_id, session_id).unwrap()
    }

    #[test]
    fn plain_ids_have_the_names_that_the_original_gives_them() {
        let keys = Keys::new("cogency");
        assert_eq!(keys.record(&key("alice", "default")), "cogency:state:alice:default");
        assert_eq!(keys.record(&key("ünï-日本/b *", "x.y")), "cogency:state:ünï-日本/b *:x.y");
    }

    #[test]
    fn two_keys_that_differ_have_different_names_and_a_name_gives_its_key_back() {
        let keys = Keys::new("cogency");
        let mut names = HashSet::new();
        for user in IDS {
            for session in IDS {
                let key = key(user, session);
                let name = keys.record(&key);
                assert_eq!(keys.key_of(&name), Some(key));
                assert!(names.insert(name));
            }
        }
    }

    #[test]
    fn what_belongs_to_a_record_is_in_its_slot_of_a_cluster() {
        // What stands between the first brace and the next closing one decides.
        let keys = Keys::new("cogency");
        let names = keys.of(&key("{a}:{b}", "}{"));
        assert!(!names.record.contains(['{', '}']));
        let temporary = keys.temporary(&names.record, WriteId::generate());
        let blobs = keys.blobs(&names.record);
        for name in [&names.lease, &names.history, &names.contents, &temporary, &blobs] {
            let tag = name.split_once('{').unwrap().1.split_once('}').unwrap().0;
            assert_eq!(tag, names.record);
        }
    }

    #[test]
    fn a_history_is_found_by_its_name() {
        let keys = Keys::new("cogency");
        for user in IDS {
            let key = key(user, "}{");
            assert_eq!(keys.key_of_history(&keys.of(&key).history), Some(key));
        }
        assert_eq!(keys.any_history(), "cogency:history:{cogency:state:*");
        for name in ["cogency:history:{cogency:state:a}", "cogency:contents:{cogency:state:a:b}"] {
            assert_eq!(keys.key_of_history(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_without_escapes_is_the_originals() {
        let keys = Keys::new("cogency");
        for user in ["ünï-日本:a/b", "100%", "{a}"] {
            let name = format!("cogency:state:{user}:default");
            assert_eq!(keys.key_of(&name), Some(key(user, "default")));
        }
        for name in ["cogency:state:alice", "cogency:state::default", "other:state:alice:default"] {
            assert_eq!(keys.key_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_prefix_is_no_pattern() {
        assert_eq!(Keys::new("a*[b]").any_record(), "a\\*\\[b\\]:state:*");
    }
}
