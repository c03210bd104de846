//! What was said about saves, against what is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::agent::{PROGRAM, Said, What, span};

/// Users who are there from cut to cut.
pub(crate) const OLD_USERS: [&str; 3] = ["old-a", "old-b", "old-c"];

/// What is known of a database that is cut off again and again.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The numbers of the old users' records.
    old: BTreeMap<String, u64>,
    pub(crate) figures: Figures,
    pub(crate) problems: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) cuts: u64,
    pub(crate) keys_checked: u64,
    pub(crate) saves_acknowledged: usize,
    pub(crate) saves_refused_or_in_doubt: usize,
    pub(crate) deletions_acknowledged: usize,
    pub(crate) done_but_not_acknowledged: u64,
}

impl Known {
    /// Compares what is in the database behind a URL after a cut with what was said before it.
    pub(crate) fn check(&mut self, url: &str, said: &[Said]) {
        self.figures.cuts += 1;
        let mut users: BTreeMap<&str, Vec<&Said>> = BTreeMap::new();
        users.extend(OLD_USERS.map(|user| (user, Vec::new())));
        for said in said {
            assert_eq!(said.root, Path::new(url));
            users.entry(&said.user).or_default().push(said);
        }
        let found = find(url, users.keys().copied());
        for ((user, said), found) in users.into_iter().zip(found) {
            self.figures.count(&said);
            let before = self.old.get(user).copied().unwrap_or(0);
            let (saved, begun) = span(before, said);
            let found = found.unwrap_or_else(|problem| {
                self.problem(user, &problem);
                saved
            });
            if !(saved..=begun).contains(&found) {
                self.problem(user, &format!("found {found}, not in {saved}..={begun}"));
            }
            self.figures.done_but_not_acknowledged += u64::from(found > saved);
            if OLD_USERS.contains(&user) {
                self.old.insert(user.to_owned(), found);
            }
        }
    }

    /// What comes next is a new database.
    pub(crate) fn forget(&mut self) {
        self.old.clear();
    }

    pub(crate) fn problem(&mut self, about: &str, problem: &str) {
        let nth = self.figures.cuts;
        self.problems.push(format!("cut {nth}, {about}: {problem}"));
    }

    pub(crate) fn assert_whole(&self) {
        assert!(self.problems.is_empty(), "{} problems: {:#?}", self.problems.len(), self.problems);
    }
}

impl Figures {
    fn count(&mut self, said: &[&Said]) {
        let count = |what| said.iter().filter(|said| said.what == what).count();
        self.keys_checked += 1;
        self.saves_acknowledged += count(What::Saved);
        self.saves_refused_or_in_doubt += count(What::Failed) + count(What::Unknown);
        self.deletions_acknowledged += count(What::Forgotten);
    }
}

/// The numbers of the records that are there, or why one cannot be read; 0 for none. Looked for by
/// a new process: no other comes through a power cut.
fn find<'a>(url: &str, users: impl Iterator<Item = &'a str> + Clone) -> Vec<Result<u64, String>> {
    let mut program = Command::new(PROGRAM);
    program.arg("find");
    users.clone().for_each(|user| {
        program.args([url, user]);
    });
    let output = program.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && lines.lines().count() == users.count(), "{lines}");
    let number = |line: &str| match line.strip_prefix("found ") {
        Some(number) => Ok(number.parse().unwrap()),
        None => Err(line.to_owned()),
    };
    lines.lines().map(number).collect()
}
