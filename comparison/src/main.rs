//! Writes `docs/performance.md`: what floors, this library and others take for the same work, side
//! by side. Started by `comparison/run`.
//!
//! A cycle loads a state, appends a message of 200 bytes, and saves.

mod aims;
mod chat;
mod contestant;
mod document;
mod floors;
mod measure;
mod media;
mod ours;
mod peers;
mod results;
mod servers;

use std::fs;
use std::path::Path;

use contestant::Outcome;
use measure::Effort;
use results::Results;

/// What was measured last.
const RESULTS: &str = "results.json";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (kept, docs) = if has("--quick") {
        (here.join("target/quick"), here.join("target/quick"))
    } else {
        (here.to_owned(), here.join("../docs"))
    };
    fs::create_dir_all(&kept)?;
    let results = if has("--render") {
        serde_json::from_slice(&fs::read(kept.join(RESULTS))?)?
    } else {
        let only = arguments.iter().filter(|argument| !argument.starts_with("--"));
        measured(&only.collect::<Vec<_>>(), has("--quick"), &kept.join(RESULTS))?
    };
    document::write(&results, here, &docs)
}

/// Kept after each medium, so that nothing is lost if the next one ends it.
fn measured(only: &[&String], is_quick: bool, kept: &Path) -> Outcome<Results> {
    let effort = if is_quick { Effort::QUICK } else { Effort::FULL };
    let mut results = Results { machine: document::machine(), is_quick, media: Vec::new() };
    if !only.is_empty() && kept.exists() {
        results.media = serde_json::from_slice::<Results>(&fs::read(kept)?)?.media;
    }
    for medium in media::ALL {
        if !only.is_empty() && !only.iter().any(|id| *id == medium.id) {
            continue;
        }
        let measured = measure::medium(medium, effort);
        results.media.retain(|earlier| earlier.id != medium.id);
        results.media.push(measured);
        fs::write(kept, serde_json::to_vec_pretty(&results)?)?;
    }
    Ok(results)
}
