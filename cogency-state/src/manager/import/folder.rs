//! The files of Cogency for Python: plain blocking code.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use serde::Deserialize;

use crate::agent_state::AgentState;
use crate::codec::{Codec, has_long_integer};
use crate::envelope::{self, Unreadable};
use crate::key::StateKey;
use crate::record::{Metadata, Record};

/// What has to be known of a file to find its place.
pub(super) struct Outline {
    pub(super) user_id: String,
    /// The process that wrote it.
    pub(super) process: String,
    /// As text, in which times without a zone are in order.
    pub(super) saved_at: Option<String>,
    pub(super) modified: Option<SystemTime>,
}

/// What a file holds.
pub(super) struct Source {
    pub(super) state: AgentState,
    pub(super) metadata: Metadata,
    /// How much the state is as text.
    pub(super) bytes: usize,
}

/// All files in a folder that may be states, by name.
pub(super) fn outlines(folder: &Path) -> io::Result<Vec<(String, Result<Outline, String>)>> {
    let mut outlines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Not through links; folders are not the original's.
        if !entry.file_type()?.is_file() {
            continue;
        }
        let (path, name) = (entry.path(), entry.file_name().into_string());
        if let Ok(name) = name
            && path.extension().is_some_and(|extension| extension == "json")
        {
            let modified = entry.metadata()?.modified().ok();
            outlines.push((name, outline(&path, modified)));
        }
    }
    outlines.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(outlines)
}

fn outline(path: &Path, modified: Option<SystemTime>) -> Result<Outline, String> {
    #[derive(Deserialize)]
    struct Process {
        process_id: String,
    }
    let (document, record) = open(path)?;
    let state = state(&record)?;
    let process = serde_json::from_slice::<Process>(&document);
    let process = process.map_err(|_| "it does not say which process wrote it".to_owned())?;
    Ok(Outline {
        user_id: state.user_id,
        process: process.process_id,
        saved_at: record.metadata.saved_at.map(|saved_at| saved_at.to_string()),
        modified,
    })
}

/// A file, or why it is none of the original's.
pub(super) fn read(path: &Path) -> Result<Source, String> {
    let (_, record) = open(path)?;
    let state = state(&record)?;
    Ok(Source { state, bytes: record.state.len(), metadata: record.metadata })
}

fn open(path: &Path) -> Result<(Bytes, Record), String> {
    let document: Bytes = fs::read(path).map_err(|error| error.to_string())?.into();
    // Whose it is only the state tells.
    let nobody = StateKey::for_user("imported").map_err(|error| error.to_string())?;
    let decoded = envelope::decode(&nobody, &document).map_err(|unreadable| match unreadable {
        Unreadable::Damaged(reason) => reason,
        Unreadable::SchemaVersion(found) => format!("its schema version is {found:?}"),
    })?;
    Ok((document, decoded.record))
}

fn state(record: &Record) -> Result<AgentState, String> {
    if has_long_integer(&record.state) {
        return Err("it has an integer beyond 64 bits, which would be rounded".to_owned());
    }
    (Codec::<AgentState>::new().read)(&record.state).map_err(|unfit| {
        format!("it is no agent's state, at `{}`: {}", unfit.0.path, unfit.0.reason)
    })
}
