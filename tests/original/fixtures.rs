//! What the original wrote.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder of its states.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/original/folder")
}

/// One of its files.
pub(crate) fn file(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}_0f1e2d3c.json"))).unwrap()
}

/// Its files that are JSON of a schema version that is known.
pub(crate) const READABLE: [&str; 10] = [
    "a_b_0f1e2d3c",
    "actions_0f1e2d3c",
    "al_ice_s2",
    "al_s1",
    "autosave-reason_0f1e2d3c",
    "custom-metadata_0f1e2d3c",
    "default_0f1e2d3c",
    "empty_0f1e2d3c",
    "messages_0f1e2d3c",
    "ünï-日本_a_b_0f1e2d3c",
];

/// The values that it put into Redis, by case: all but those that are no JSON.
pub(crate) fn redis_values() -> Vec<(String, String)> {
    let all: Value = serde_json::from_str(include_str!("../fixtures/original/redis.json")).unwrap();
    let entries = all["entries"].as_array().unwrap().iter();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let entries = entries.filter(|entry| entry["not_strict"] == "");
    entries.map(|entry| (text(entry, "case"), text(entry, "value"))).collect()
}
