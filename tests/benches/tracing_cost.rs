//! What the spans and events of a call cost where nobody listens: the same program, once as a user
//! builds it and once with all of tracing compiled out (`release_max_level_off`).
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench tracing_cost
//! ```
//!
//! The call is the cheapest there is, in memory with a state of 1 KB, so that they weigh most. The
//! two programs take turns. `valgrind` counts their instructions, which no other program disturbs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROUNDS: usize = 15;
const CALLS: u64 = 20_000;
/// Few, for valgrind takes its time.
const COUNTED_CALLS: u64 = 2_000;

/// Makes as many calls as it is told to, and says how many nanoseconds each took.
const SOURCE: &str = r#"
use cogency_state::{Error, robust};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat { turns: u64, messages: Vec<String> }

#[robust(persist = "memory")]
async fn chat(state: &mut Chat, user_id: &str) -> Result<u64, Error> {
    state.turns += 1;
    state.messages.push("All happy families are alike. ".repeat(7));
    if state.messages.len() > 4 {
        state.messages.remove(0);
    }
    Ok(state.turns)
}

fn main() -> Result<(), Error> {
    let calls: u64 = std::env::args().nth(1).and_then(|calls| calls.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let started = std::time::Instant::now();
        for _ in 0..calls {
            chat("alice").await?;
        }
        println!("{}", started.elapsed().as_nanos() / u128::from(calls));
        Ok(())
    })
}
"#;

const MANIFEST: &str = r#"
[package]
name = "agent"
edition = "2024"

[features]
untraced = ["tracing/release_max_level_off"]

[dependencies]
cogency-state = { path = "LIBRARY" }
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["rt", "time"] }
tracing = { version = "0.1", default-features = false }

[profile.release]
codegen-units = 1

[workspace]
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("tracing_cost")
}

fn write_package() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = tests.join("../cogency-state").display().to_string();
    fs::create_dir_all(folder().join("src")).unwrap();
    fs::write(folder().join("Cargo.toml"), MANIFEST.replace("LIBRARY", &library)).unwrap();
    fs::write(folder().join("src/main.rs"), SOURCE).unwrap();
    fs::copy(tests.join("../Cargo.lock"), folder().join("Cargo.lock")).unwrap();
}

struct Program {
    file: PathBuf,
    nanoseconds: Vec<u64>,
}

impl Program {
    fn build(name: &str, options: &[&str]) -> Self {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--release", "--offline", "--quiet"])
            .args(options)
            .current_dir(folder())
            .env("CARGO_TARGET_DIR", folder().join("target"))
            .status();
        assert!(cargo.unwrap().success());
        let file = folder().join(name);
        fs::copy(folder().join("target/release/agent"), &file).unwrap();
        Self { file, nanoseconds: Vec::new() }
    }

    fn round(&mut self) {
        let output = succeeds(Command::new(&self.file).arg(CALLS.to_string()));
        let said = String::from_utf8(output.stdout).unwrap();
        self.nanoseconds.push(said.trim().parse().unwrap());
    }

    fn median(&mut self) -> u64 {
        self.nanoseconds.sort_unstable();
        self.nanoseconds[self.nanoseconds.len() / 2]
    }

    /// Instructions of a call: what more calls take more, so that the start does not count.
    fn instructions(&self) -> u64 {
        let (few, many) = (self.counted(COUNTED_CALLS), self.counted(2 * COUNTED_CALLS));
        many.saturating_sub(few) / COUNTED_CALLS
    }

    fn counted(&self, calls: u64) -> u64 {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        let output = succeeds(valgrind.arg(&self.file).arg(calls.to_string()));
        let said = String::from_utf8(output.stderr).unwrap();
        let (_, collected) = said.rsplit_once("Collected : ").expect("callgrind counts");
        collected.split_whitespace().next().unwrap().parse().unwrap()
    }
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

#[allow(clippy::cast_precision_loss, reason = "the numbers are small")]
fn told(unit: &str, traced: u64, untraced: u64) {
    let ratio = traced as f64 / untraced as f64;
    println!("{unit} of a call: {untraced} without tracing, {traced} with it ({ratio:.3} x)");
}

fn main() {
    write_package();
    let mut untraced = Program::build("untraced", &["--features", "untraced"]);
    let mut traced = Program::build("traced", &[]);
    for _ in 0..ROUNDS {
        untraced.round();
        traced.round();
    }
    told("nanoseconds", traced.median(), untraced.median());
    told("instructions", traced.instructions(), untraced.instructions());
}
