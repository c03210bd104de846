//! A backend whose cargo feature is off is a compile error that names the feature.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `persist` says, and what is needed for it.
const PERSISTS: [(&str, &str); 6] = [
    ("redis", "`redis`"),
    ("database", "`sqlite`, `postgres` or `mysql`"),
    ("sqlite", "`sqlite`"),
    ("sqlite:data/agents.db", "`sqlite`"),
    ("postgresql://host/agents", "`postgres`"),
    ("mariadb://host/agents", "`mysql`"),
];

/// The tests' own package has all features: another one is built, without any.
#[test]
fn a_backend_whose_feature_is_off_names_the_feature() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"features-off\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         cogency-state = {{ path = {:?} }}\n",
        workspace.join("cogency-state")
    );
    let mut program = "use cogency_state::{Error, robust};\nfn main() {}\n".to_owned();
    for (number, (persist, _)) in PERSISTS.iter().enumerate() {
        write!(
            program,
            "#[robust(persist = {persist:?})]\nasync fn call_{number}(state: &mut u32, \
             user_id: &str) -> Result<(), Error> {{ Ok(()) }}\n"
        )
        .unwrap();
    }
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), program).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--offline", "--quiet"]).current_dir(folder.path());
    cargo.env("CARGO_TARGET_DIR", workspace.join("target/features-off"));
    let output = cargo.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    for (persist, feature) in PERSISTS {
        let due = format!("this `persist` needs the cargo feature {feature} of cogency-state");
        assert!(said.contains(&due), "{persist}: {said}");
    }
    assert_eq!(said.matches("this `persist` needs").count(), PERSISTS.len(), "{said}");
}
