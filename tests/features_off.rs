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

/// The tests' own package has all features: others are built, without any. Gives what cargo said.
fn without_features(command: &str, program: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"features-off\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         cogency-state = {{ path = '{}' }}\ntokio = {{ version = \"1\", features = [\"rt\"] }}\n",
        workspace.join("cogency-state").display()
    );
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), program).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([command, "--offline", "--quiet"]).current_dir(folder.path());
    cargo.env("CARGO_TARGET_DIR", workspace.join("target/features-off"));
    let output = cargo.output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_backend_whose_feature_is_off_names_the_feature() {
    let mut program = "use cogency_state::{Error, robust};\nfn main() {}\n".to_owned();
    for (number, (persist, _)) in PERSISTS.iter().enumerate() {
        write!(
            program,
            "#[robust(persist = {persist:?})]\nasync fn call_{number}(state: &mut u32, \
             user_id: &str) -> Result<(), Error> {{ Ok(()) }}\n"
        )
        .unwrap();
    }
    let said = without_features("check", &program);
    for (persist, feature) in PERSISTS {
        let due = format!("this `persist` needs the cargo feature {feature} of cogency-state");
        assert!(said.contains(&due), "{persist}: {said}");
    }
    assert_eq!(said.matches("this `persist` needs").count(), PERSISTS.len(), "{said}");
}

#[test]
fn a_name_whose_feature_is_off_names_the_feature_while_the_program_runs() {
    let names = ["redis", "sqlite", "postgres", "mysql", "database"];
    let program = format!(
        "use cogency_state::StateManager;\n\
         fn main() {{\n\
             let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();\n\
             runtime.block_on(async {{\n\
                 for name in {names:?} {{\n\
                     eprintln!(\"{{}}\", StateManager::shared(name).unwrap_err());\n\
                 }}\n\
             }});\n\
         }}\n"
    );
    let said = without_features("run", &program);
    for (name, feature) in names.into_iter().zip([
        "`redis`",
        "`sqlite`",
        "`postgres`",
        "`mysql`",
        "`sqlite`, `postgres` or `mysql`",
    ]) {
        let due = format!("{name:?} needs the cargo feature {feature} of cogency-state");
        assert!(said.contains(&due), "{name}: {said}");
    }
}
