//! What the attribute costs at build time: 200 annotated functions against 200 plain ones.
//!
//! ```text
//! cargo bench -p cogency-state-tests --bench build_cost
//! ```
//!
//! Both programs link the library and hold the same bodies over the same 20 state types. Only the
//! program itself is built again, in release mode, and the two take turns.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const FUNCTIONS: usize = 200;
const STATE_TYPES: usize = 20;
const ROUNDS: usize = 3;

struct Program {
    folder: PathBuf,
    source: String,
    builds: Vec<Duration>,
}

impl Program {
    fn new(name: &str, source: String) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build_cost").join(name);
        fs::create_dir_all(folder.join("src")).unwrap();
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cogency-state");
        let library = library.display();
        let manifest = format!(
            "[package]\nname = {name:?}\nedition = \"2024\"\n\n[dependencies]\n\
             cogency-state = {{ path = \"{library}\" }}\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\n\
             tokio = {{ version = \"1\", features = [\"rt-multi-thread\"] }}\n\n\
             [profile.release]\nstrip = true\n\n[workspace]\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        fs::copy(lock, folder.join("Cargo.lock")).unwrap();
        let program = Self { folder, source, builds: Vec::new() };
        // The dependencies, once.
        fs::write(program.main(), "fn main() {}\n").unwrap();
        program.build();
        program
    }

    fn main(&self) -> PathBuf {
        self.folder.join("src/main.rs")
    }

    fn build(&self) {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--release", "--offline", "--quiet"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .status();
        assert!(cargo.unwrap().success());
    }

    fn round(&mut self) {
        // Another source each time, so that cargo has something to do.
        let source = format!("{}\n// round {}\n", self.source, self.builds.len());
        fs::write(self.main(), source).unwrap();
        let started = Instant::now();
        self.build();
        self.builds.push(started.elapsed());
    }

    fn median(&mut self) -> Duration {
        self.builds.sort_unstable();
        self.builds[self.builds.len() / 2]
    }

    fn bytes(&self) -> u64 {
        let name = self.folder.file_name().unwrap();
        fs::metadata(self.folder.join("target/release").join(name)).unwrap().len()
    }
}

fn source(attribute: &str, call: &str) -> String {
    let mut text = String::from("use cogency_state::Error;\n");
    for number in 0..STATE_TYPES {
        let _ = write!(
            text,
            "#[derive(Default, serde::Serialize, serde::Deserialize)]\n\
             pub struct Chat{number} {{ pub turns: Vec<String>, pub field_{number}: u64 }}\n"
        );
    }
    for number in 0..FUNCTIONS {
        let ty = number % STATE_TYPES;
        let _ = write!(
            text,
            "{attribute}\nasync fn agent_{number}(state: &mut Chat{ty}, user_id: &str, query: &str) \
             -> Result<String, Error> {{\n\
             state.turns.push(query.to_owned());\n\
             tokio::task::yield_now().await;\n\
             state.field_{ty} += {number};\n\
             Ok(format!(\"{{user_id}}: turn {{}}\", state.turns.len()))\n}}\n"
        );
    }
    text.push_str("async fn all(user_id: &str, query: &str) -> Result<(), Error> {\n");
    // Both programs need the code that reads and writes each state type somewhere.
    for number in 0..FUNCTIONS {
        let call = call
            .replace("TYPE", &format!("Chat{}", number % STATE_TYPES))
            .replace("AGENT", &format!("agent_{number}"));
        let _ = writeln!(text, "    println!(\"{{}}\", {call});");
    }
    text.push_str(
        "    Ok(())\n}\nfn main() {\n    let user = std::env::args().nth(1).unwrap_or_default();\n    \
         let runtime = tokio::runtime::Runtime::new().expect(\"a runtime\");\n    \
         runtime.block_on(all(&user, \"hello\")).expect(\"saved\");\n}\n",
    );
    text
}

fn main() {
    let plain = source("", "AGENT(&mut TYPE::default(), user_id, query).await?");
    let robust =
        source("#[cogency_state::robust(persist = \"memory\")]", "AGENT(user_id, query).await?");
    let mut plain = Program::new("plain", plain);
    let mut robust = Program::new("robust", robust);
    for _ in 0..ROUNDS {
        plain.round();
        robust.round();
    }
    let (plain_time, robust_time) = (plain.median(), robust.median());
    let (plain_bytes, robust_bytes) = (plain.bytes(), robust.bytes());
    let functions = u32::try_from(FUNCTIONS).unwrap();
    println!("{FUNCTIONS} functions over {STATE_TYPES} state types, release build");
    println!("plain   {plain_time:>8.2?}  {plain_bytes:>9} bytes");
    println!("robust  {robust_time:>8.2?}  {robust_bytes:>9} bytes");
    println!(
        "a function  {:.2?}  {} bytes",
        robust_time.saturating_sub(plain_time) / functions,
        robust_bytes.saturating_sub(plain_bytes) / u64::from(functions)
    );
}
