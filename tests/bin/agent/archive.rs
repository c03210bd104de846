//! A run of an archive, for tests to kill at each step.

use std::io::{BufRead as _, stdin};
use std::time::Duration;

use cogency_state::archive::{Archive, Progress};
use cogency_state::{Retention, StateManager};

use crate::Ended;

pub(crate) async fn run(manager: &StateManager, folder: &str) -> Ended {
    let archive = Archive::in_folder(folder)?;
    let run = archive.states(manager, Duration::ZERO).per_file(10).on_progress(tell);
    let report = run.run().await?;
    println!("kept {}", report.kept);
    Ok(())
}

/// All but the newest version of each history.
pub(crate) async fn run_history(manager: &StateManager, folder: &str) -> Ended {
    let archive = Archive::in_folder(folder)?;
    let run = archive.history(manager, Retention::Versions(1)).per_file(10).on_progress(tell);
    let report = run.run().await?;
    println!("kept {}", report.kept);
    Ok(())
}

fn tell(progress: &Progress) {
    println!("step {:?}", progress.step);
    // At the end of its stdin it goes on.
    let _ = stdin().lock().read_line(&mut String::new());
}
