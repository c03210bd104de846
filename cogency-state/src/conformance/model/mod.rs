//! Random sequences of operations, compared with a model of the contract.

mod reference;
mod stage;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{SyncSender, sync_channel};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use tokio::sync::mpsc;

use super::check::{Stop, Verdict, fail};
use super::trial::Trial;
use reference::{Reference, Step};

/// How many sequences are tried unless the environment says otherwise.
const CASES: u32 = 64;

/// What the sequences are made of unless the environment says otherwise.
const SEED: u64 = 20_250_731;

/// How many steps a sequence has.
const STEPS: Range<usize> = 1..40;

/// A sequence to run on the backend. The runner blocks a thread of its own and asks the check's
/// task, which alone has the harness.
struct Request {
    steps: Vec<Step>,
    seen: Option<Arc<AtomicUsize>>,
    answer: SyncSender<Verdict>,
}

pub(super) async fn random_sequences_agree_with_a_model(trial: &Trial<'_>) -> Verdict {
    let cases = setting("COGENCY_CONFORMANCE_CASES", CASES)?;
    let seed = setting("COGENCY_CONFORMANCE_SEED", SEED)?;
    let (requests, mut asked) = mpsc::channel(1);
    let runner = tokio::task::spawn_blocking(move || search(cases, seed, &requests));
    while let Some(Request { steps, seen, answer }) = asked.recv().await {
        // The runner waits for the answer; if it is gone, nobody misses it.
        let _ = answer.send(stage::run(trial, &steps, seen.as_deref()).await);
    }
    runner.await.map_err(|error| Stop::failed(format!("the search for a sequence {error}")))?
}

/// Looks for a sequence that fails, and then for the shortest.
fn search(cases: u32, seed: u64, requests: &mpsc::Sender<Request>) -> Verdict {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng(seed));
    let sequences = Reference::sequential_strategy(STEPS);
    match runner.run(&sequences, |(_, steps, seen)| ask(requests, steps, seen)) {
        Ok(()) => Ok(()),
        Err(TestError::Abort(_)) => Err(Stop::TooSlow),
        Err(TestError::Fail(why, (_, steps, _))) => fail!(
            "{why}\n    the shortest sequence that shows it (COGENCY_CONFORMANCE_SEED={seed}, \
             {cases} cases):{}",
            numbered(&steps)
        ),
    }
}

fn ask(
    requests: &mpsc::Sender<Request>,
    steps: Vec<Step>,
    seen: Option<Arc<AtomicUsize>>,
) -> Result<(), TestCaseError> {
    let (answer, wait) = sync_channel(1);
    let asked = requests.blocking_send(Request { steps, seen, answer });
    match asked.ok().and_then(|()| wait.recv().ok()) {
        Some(Ok(())) => Ok(()),
        Some(Err(Stop::Failed(failure))) => Err(TestCaseError::fail(failure.to_string())),
        // A sequence that took too long proves nothing, another one may.
        Some(Err(_)) => Err(TestCaseError::reject("the sequence outlasted its leases")),
        None => Err(TestCaseError::fail("the check was given up")),
    }
}

fn rng(seed: u64) -> TestRng {
    let bytes = seed.to_le_bytes().repeat(4);
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn numbered(steps: &[Step]) -> String {
    (1..)
        .zip(steps)
        .fold(String::new(), |text, (number, step)| format!("{text}\n    {number}. {step:?}"))
}

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str, unless_set: T) -> Verdict<T> {
    let Ok(text) = std::env::var(name) else { return Ok(unless_set) };
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => fail!("{name} is {text:?}, it has to be a whole number"),
    }
}
