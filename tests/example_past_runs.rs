//! The example that asks about past runs, run as a user runs it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use cogency_state_tests::database::{SqliteFile, shared_mariadb, shared_postgres};
use cogency_state_tests::example::built_with;

static PAST_RUNS: LazyLock<PathBuf> =
    LazyLock::new(|| built_with("past_runs", &["sqlite", "postgres", "mysql"]));

fn past_runs(url: &str, arguments: &[&str]) -> Output {
    Command::new(&*PAST_RUNS).args(["--url", url]).args(arguments).output().unwrap()
}

#[test]
fn it_finds_the_failed_runs_of_a_user_and_the_dearest_of_all_on_each_database() {
    let file = SqliteFile::default();
    for url in [file.url(), shared_postgres().url(), shared_mariadb().url()] {
        for _ in 0..2 {
            let output = past_runs(&url, &[]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(
                lines[0],
                "2 of alice's agents used gpt-5 in the last week and stopped with an error:"
            );
            // The last one first.
            assert_eq!(lines[1], "  tax report (2 turns): no answer within 30 seconds");
            assert_eq!(lines[2], "  invoices (2 turns): the tool `pay` answered 503");
            assert_eq!(lines[4], "  \"alice\"/\"tax report\" by gpt-5", "{text}");
        }
        let output = past_runs(&url, &["--restore", "tax report"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "The history of \"alice\"/\"tax report\", the newest first:");
        assert!(lines[1].starts_with("  version 2: save at 2"), "{text}");
        assert!(lines[2].ends_with(" by gpt-5"), "{text}");
        assert!(text.contains("  stop_reason: null -> \"error\""), "{text}");
        let output = past_runs(&url, &[]);
        assert!(String::from_utf8(output.stdout).unwrap().starts_with("1 of alice's agents"));
        let output = past_runs(&url, &["--user", "bob", "--model", "claude-5"]);
        assert!(String::from_utf8(output.stdout).unwrap().starts_with("0 of bob's agents"));
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told() {
    let output = past_runs("mysql://root@127.0.0.1:1/none", &[]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the database cannot be used") && said.contains("reached"), "{said}");
}
