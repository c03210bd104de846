//! A folder on this machine's disk.

use std::path::PathBuf;

use cogency_state::FileBackend;
use tempfile::TempDir;

use super::{Medium, Place, backend, bytes_in, given_to_writes, make};
use crate::contestant::{Contestant, Guarantees, Kind, POWER_CUT};
use crate::floors::file::{Appended, Replaced};
use crate::ours::{Copied, Ours};
use crate::peers::cached::Disk;
use crate::peers::opendal::Objects;

const FLOOR: &str = "replace by rename, one folder";

pub(super) static FILE: Medium = Medium {
    name: "file",
    id: "file",
    floor: FLOOR,
    contestants: &CONTESTANTS,
    writers: &WRITERS,
    open,
    backend: backend!(|at| FileBackend::new(at)),
};

static CONTESTANTS: [Contestant; 6] = [
    Contestant {
        name: FLOOR,
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.survives(POWER_CUT),
        make: make!(|at| Replaced::in_folder(&format!("{at}/shared"), false)?),
    },
    Contestant {
        name: "replace by rename, a folder each",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.survives(POWER_CUT),
        make: make!(|at| Replaced::in_folder(&format!("{at}/apart"), true)?),
    },
    Contestant {
        name: "append the change",
        kind: Kind::Floor,
        guarantees: Guarantees::NONE.survives(POWER_CUT).history("all versions"),
        make: make!(|at| Appended::in_folder(&format!("{at}/appended"))),
    },
    Contestant {
        name: "cogency-state",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("100 versions", POWER_CUT),
        make: make!(|at| Ours::over(FileBackend::new(format!("{at}/ours")))),
    },
    Contestant {
        name: "opendal fs",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE.survives("kill -9; its rename may be lost in a power cut"),
        make: make!(|at| Objects::in_folder(&format!("{at}/opendal"))?),
    },
    Contestant {
        name: "cached, redb",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE.survives(POWER_CUT),
        make: make!(|at| Disk::in_folder(&format!("{at}/cached"))?),
    },
];

static WRITERS: [Contestant; 1] = [Contestant {
    name: "cogency-state, slow turns",
    kind: Kind::Ours,
    guarantees: Guarantees::ours("100 versions", POWER_CUT),
    make: make!(|at| Copied::over(FileBackend::new(format!("{at}/ours")))),
}];

fn open() -> Place {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_owned();
    Place {
        at: path.to_string_lossy().into_owned(),
        about: about(path.clone()),
        written: Some(Box::new(given_to_writes)),
        stored: Some(Box::new(move || bytes_in(&path))),
        compact: None,
        kept: Box::new(folder),
    }
}

/// The file system that a folder is on.
fn about(folder: PathBuf) -> String {
    let findmnt = ["--noheadings", "--output", "FSTYPE", "--target"];
    let told = std::process::Command::new("findmnt").args(findmnt).arg(folder).output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    told.unwrap_or_default()
}
