//! A run of an archive, for tests to kill at each step.

use std::io::{BufRead as _, stdin};
use std::time::Duration;

use cogency_state::StateManager;
use cogency_state::archive::Archive;

use crate::Ended;

pub(crate) async fn run(manager: &StateManager, folder: &str) -> Ended {
    let archive = Archive::in_folder(folder)?;
    let run = archive.states(manager, Duration::ZERO).per_file(10).on_progress(|progress| {
        println!("step {:?}", progress.step);
        // At the end of its stdin it goes on.
        let _ = stdin().lock().read_line(&mut String::new());
    });
    let report = run.run().await?;
    println!("kept {}", report.kept);
    Ok(())
}
