//! Starts workers, hands them questions, kills them, and counts. A real program has a queue, a load
//! balancer and an orchestrator for this; they do their part as roughly.

use std::collections::VecDeque;
use std::env;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, ensure};
use cogency_state::{StateKey, StateManager};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{Conversation, SESSION};

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "worker";

const WORKERS: usize = 3;
const USERS: [&str; 3] = ["alice", "bob", "carol"];
const QUESTIONS_OF_A_USER: usize = 20;
/// One question in so many is a worker's last.
const KILL_ONE_IN: usize = 4;
/// Before a question is asked again that a worker could not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// The kill comes so long after the question, at most.
const LATEST_KILL: Duration = Duration::from_millis(200);

/// What `persist = "redis"` takes too; but a killed worker's users do not have to wait for as long.
const DEFAULT_URL: &str = "redis://127.0.0.1:6379?lease_ttl=1s";
const URL_VARIABLE: &str = "COGENCY_REDIS_URL";

struct Question {
    user_id: &'static str,
    id: String,
    text: String,
}

/// An answer that a worker gave.
struct Answered {
    question: Question,
    answer: String,
}

type Queue = Arc<Mutex<VecDeque<Question>>>;

pub(crate) async fn run() -> Result<()> {
    let url = env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty());
    let url = url.unwrap_or_else(|| DEFAULT_URL.to_owned());
    let manager = StateManager::connect(&url).await.map_err(|error| {
        anyhow!("{error}\nStart `redis-server`, or name a server in {URL_VARIABLE}.")
    })?;
    let queue = Arc::new(Mutex::new(questions()));
    let mut posts = JoinSet::new();
    for number in 1..=WORKERS {
        posts.spawn(keep_busy(number, url.clone(), Arc::clone(&queue)));
    }
    let mut answered = Vec::new();
    while let Some(post) = posts.join_next().await {
        answered.extend(post??);
    }
    for user_id in USERS {
        check(&manager, user_id, &answered).await?;
    }
    println!(
        "{} questions, {} answers, nothing lost.",
        USERS.len() * QUESTIONS_OF_A_USER,
        answered.len()
    );
    Ok(())
}

/// The users' questions in turn, each with an id that it has however often it is asked.
fn questions() -> VecDeque<Question> {
    let run = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let of_all = |number| {
        USERS.map(|user_id| Question {
            user_id,
            id: format!("{run}-{number}"),
            text: format!("What about {number}?"),
        })
    };
    (1..=QUESTIONS_OF_A_USER).flat_map(of_all).collect()
}

/// Keeps one worker busy, and starts another one when it is gone.
async fn keep_busy(number: usize, url: String, queue: Queue) -> Result<Vec<Answered>> {
    let (mut worker, mut answered) = (Worker::start(&url)?, Vec::new());
    while let Some(question) = next(&queue) {
        let again = |why: &str| {
            let Question { user_id, text, .. } = &question;
            println!("{user_id}'s {text:?} is asked again: worker {number} {why}");
        };
        let answer = loop {
            if fastrand::usize(..KILL_ONE_IN) == 0 {
                worker.ask_and_kill(&question).await?;
                worker = Worker::start(&url)?;
                again("was killed");
                continue;
            }
            let reply = worker.ask(&question).await?;
            if let Some(answer) = reply.strip_prefix("answer ") {
                break answer.to_owned();
            }
            again(&reply);
            sleep(PAUSE).await;
        };
        answered.push(Answered { question, answer });
    }
    Ok(answered)
}

fn next(queue: &Queue) -> Option<Question> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// A process of this program's own kind.
struct Worker {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(url: &str) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg(WORKER)
            .env(URL_VARIABLE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().context("a worker has no input")?;
        let output = process.stdout.take().context("a worker has no output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    async fn ask(&mut self, question: &Question) -> Result<String> {
        self.send(question).await?;
        self.output.next_line().await?.context("a worker ended without an answer")
    }

    /// Asks, and kills it before, while or after it answers, as `kill -9` does. Nobody hears what
    /// it said.
    async fn ask_and_kill(&mut self, question: &Question) -> Result<()> {
        self.send(question).await?;
        sleep(LATEST_KILL.mul_f64(fastrand::f64())).await;
        Ok(self.process.kill().await?)
    }

    async fn send(&mut self, question: &Question) -> Result<()> {
        let Question { user_id, id, text } = question;
        Ok(self.input.write_all(format!("{user_id} {id} {text}\n").as_bytes()).await?)
    }
}

/// Whether each answer that was given to a user is in their conversation, once.
async fn check(manager: &StateManager, user_id: &str, answered: &[Answered]) -> Result<()> {
    let key = StateKey::new(user_id, SESSION)?;
    let loaded = manager.load_state::<Conversation>(&key).await?;
    let turns = loaded.map(|loaded| loaded.state.turns).unwrap_or_default();
    let answered = || answered.iter().filter(|answered| answered.question.user_id == user_id);
    for Answered { question, answer } in answered() {
        let kept: Vec<_> = turns.iter().filter(|turn| turn.id == question.id).collect();
        let is_right = matches!(kept.as_slice(), [turn] if turn.answer == *answer);
        ensure!(is_right, "{user_id}'s {:?} is kept {} times", question.text, kept.len());
    }
    let (answers, all) = (answered().count(), turns.len());
    println!("{user_id}: {answers} answers, each once among {all} turns");
    Ok(())
}
