//! Scripts that wait for a connection. The one whose turn it is takes others along, in one
//! statement: they share its round trip, its commit and its wait for the disk, and each gets an
//! answer of its own.
//!
//! ```text
//! alone:     A         a connection was free
//! together:    B C D   who came while all were in use
//! ```

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::asking::Asking;
use super::connections::Run;
use super::dialect::{Dialect, Script, Together};
use super::pools::Lent;
use super::problem::{Miss, Problem};
use super::statement::{Argument, Rows, Session};

/// How many may go together. Few sizes, since each is a statement that stays prepared: of those who
/// are more than one of these the last wait on.
const SIZES: [usize; 4] = [2, 4, 8, MOST];
pub(super) const MOST: usize = 16;
/// What is larger goes alone.
const MOST_BYTES: usize = 64 << 10;
/// For so long at most a statement of several waits for a lock.
const LONGEST_LOCK: Duration = Duration::from_millis(100);
/// And for one lock of each of them together for a quarter of the time that it has.
const PARTS: u32 = 4 * 16;

/// The statements of several of one script.
pub(super) struct Statements {
    texts: HashMap<usize, Arc<str>>,
    /// The column that tells whose a row is.
    whose: usize,
}

impl Statements {
    pub(super) fn new(together: &Together, with_names: impl Fn(&str) -> String) -> Self {
        let sql = with_names(together.sql);
        let text = |size| sql.replace("{rows}", &rows(size, together.arguments)).into();
        let texts = SIZES.into_iter().map(|size| (size, text(size))).collect();
        Self { texts, whose: together.whose }
    }
}

/// The rows of arguments of so many, each behind its number.
fn rows(size: usize, arguments: usize) -> String {
    let mut rows = String::new();
    // The first argument is the bound.
    let mut argument = 1;
    for number in 0..size {
        let comma = if number == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(rows, "{comma}({number}::bigint, b.bound");
        for _ in 0..arguments {
            argument += 1;
            let _ = write!(rows, ", ${argument}");
        }
        rows.push(')');
    }
    rows
}

/// Those who wait for a connection of one pool.
#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<VecDeque<Asked>>,
    next: AtomicU64,
}

/// A script of somebody who waits.
pub(super) struct Asked {
    number: u64,
    script: Script,
    arguments: Vec<Owned>,
    within: Duration,
    /// Nobody listens any more if it was given up: then it is not begun.
    tell: oneshot::Sender<Told>,
}

/// What somebody is told who was taken along.
pub(super) enum Told {
    Answer(Result<Rows, Miss>),
    /// Nothing was done, because of one of them: each by itself, so that none suffers from another.
    Alone,
}

/// A place in the queue.
pub(super) struct Place {
    number: u64,
    pub(super) told: oneshot::Receiver<Told>,
}

impl Run<'_> {
    /// Whether it may go with others.
    pub(super) fn may_join(&self) -> bool {
        !self.is_alone && self.arguments.iter().map(Argument::bytes).sum::<usize>() <= MOST_BYTES
    }
}

impl Waiting {
    pub(super) fn join(&self, run: Run<'_>) -> Place {
        let (tell, told) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let arguments = run.arguments.iter().map(Owned::from).collect();
        let asked = Asked { number, script: run.script, arguments, within: run.within, tell };
        self.lock().push_back(asked);
        Place { number, told }
    }

    /// Whoever has this place, and those who go with it, so many at most. `None` if somebody else took
    /// it along.
    pub(super) fn take(&self, place: &Place, most: usize) -> Option<Vec<Asked>> {
        let mut queue = self.lock();
        let own = queue.iter().position(|one| one.number == place.number)?;
        let mut group: Vec<_> = queue.remove(own).into_iter().collect();
        let mut at = 0;
        while let Some(one) = queue.get(at).filter(|_| group.len() < most) {
            if one.tell.is_closed() {
                queue.remove(at);
            } else if one.goes_with(&group) {
                group.extend(queue.remove(at));
            } else {
                at += 1;
            }
        }
        let size = SIZES.into_iter().rfind(|size| *size <= group.len()).unwrap_or(1);
        // Those who are too many are still the first.
        for one in group.drain(size.min(group.len())..).rev() {
            queue.push_front(one);
        }
        Some(group)
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Asked>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Whether it is the same script, on a key of its own.
    fn goes_with(&self, group: &[Self]) -> bool {
        group.iter().all(|other| {
            (self.script, self.within) == (other.script, other.within) && self.key() != other.key()
        })
    }

    /// The first two arguments of each script that goes with others.
    fn key(&self) -> Option<&[Owned]> {
        self.arguments.get(..2)
    }
}

/// Runs the scripts of several in one statement, and tells each what came of it.
pub(super) async fn run<DB: Dialect>(
    asking: &Asking,
    statements: &Statements,
    lent: Lent<DB>,
    mut group: Vec<Asked>,
) where
    DB::Connection: Session,
{
    let Some(text) = statements.texts.get(&group.len()) else {
        lent.keep();
        return tell_all(group, || Told::Alone);
    };
    // In one order everywhere: of two that meet neither waits for the other and holds it up.
    group.sort_by(|one, other| one.key().cmp(&other.key()));
    let within = group.first().map_or(Duration::ZERO, |one| one.within);
    let bound = lock_bound(within).as_millis().to_string();
    let values = group.iter().flat_map(|one| &one.arguments).map(Owned::as_argument);
    let arguments: Vec<_> = std::iter::once(bound.as_str().into()).chain(values).collect();
    match asking.run(lent, text, &arguments, within).await {
        Ok(rows) => match each_its_own(rows, statements.whose, group.len()) {
            Ok(answers) => {
                for (one, rows) in group.into_iter().zip(answers) {
                    one.tell(Told::Answer(Ok(rows)));
                }
            }
            Err(problem) => in_doubt(group, problem),
        },
        Err(Miss::Doubtful(problem)) => in_doubt(group, problem),
        Err(Miss::Final(_) | Miss::NotYet(_)) => tell_all(group, || Told::Alone),
    }
}

/// How long a lock is waited for that somebody else holds. Then those go alone, so that only the one
/// that needs it waits.
fn lock_bound(within: Duration) -> Duration {
    (within / PARTS).clamp(Duration::from_millis(1), LONGEST_LOCK)
}

fn each_its_own(rows: Rows, whose: usize, size: usize) -> Result<Vec<Rows>, Problem> {
    let mut answers: Vec<Rows> = std::iter::repeat_with(Rows::new).take(size).collect();
    for row in rows {
        let number = row.int(whose)?.and_then(|number| usize::try_from(number).ok());
        let answer = number.and_then(|number| answers.get_mut(number));
        answer.ok_or(Problem::Strange("a row is nobody's"))?.push(row);
    }
    Ok(answers)
}

fn in_doubt(group: Vec<Asked>, problem: Problem) {
    let problem = Arc::new(problem);
    let shared = || Miss::Doubtful(Problem::Shared(Arc::clone(&problem)));
    tell_all(group, || Told::Answer(Err(shared())));
}

fn tell_all(group: Vec<Asked>, told: impl Fn() -> Told) {
    for one in group {
        one.tell(told());
    }
}

impl Asked {
    fn tell(self, told: Told) {
        // Nobody listens if it was given up.
        drop(self.tell.send(told));
    }
}

/// An argument that is kept while its script waits.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Owned {
    Text(Option<String>),
    Int(Option<i64>),
    Float(Option<u64>),
    Bytes(Vec<u8>),
}

impl From<&Argument<'_>> for Owned {
    fn from(argument: &Argument<'_>) -> Self {
        match argument {
            Argument::Text(text) => Self::Text(text.map(str::to_owned)),
            Argument::Int(number) => Self::Int(*number),
            Argument::Float(number) => Self::Float(number.map(f64::to_bits)),
            Argument::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

impl Owned {
    fn as_argument(&self) -> Argument<'_> {
        match self {
            Self::Text(text) => Argument::Text(text.as_deref()),
            Self::Int(number) => Argument::Int(*number),
            Self::Float(bits) => Argument::Float(bits.map(f64::from_bits)),
            Self::Bytes(bytes) => Argument::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    fn join(waiting: &Waiting, script: Script, user: &str) -> Place {
        let arguments = [user.into(), "session".into(), 1_i64.into()];
        waiting.join(Run { script, arguments: &arguments, within: WITHIN, is_alone: false })
    }

    fn users(group: &[Asked]) -> Vec<&str> {
        let first = group.iter().map(|one| match one.arguments.first() {
            Some(Owned::Text(Some(user))) => user.as_str(),
            _ => panic!("no user"),
        });
        first.collect()
    }

    #[test]
    fn those_of_one_script_go_together_each_with_a_key_of_its_own() {
        let waiting = Waiting::default();
        let places: Vec<_> = [
            (Script::Take, "alice"),
            (Script::Save, "bob"),
            (Script::Save, "bob"),
            (Script::Save, "alice"),
            (Script::Take, "carol"),
        ]
        .map(|(script, user)| join(&waiting, script, user))
        .into();
        let saves = waiting.take(&places[1], MOST).unwrap();
        assert_eq!(users(&saves), ["bob", "alice"]);
        assert!(waiting.take(&places[3], MOST).is_none());
        assert_eq!(users(&waiting.take(&places[2], MOST).unwrap()), ["bob"]);
        assert_eq!(users(&waiting.take(&places[4], MOST).unwrap()), ["carol", "alice"]);
    }

    #[test]
    fn those_who_are_too_many_are_the_first_the_next_time() {
        let waiting = Waiting::default();
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let places = names.map(|user| join(&waiting, Script::Save, user));
        assert_eq!(users(&waiting.take(&places[0], MOST).unwrap()), ["a", "b", "c", "d"]);
        let _late = join(&waiting, Script::Save, "h");
        assert_eq!(users(&waiting.take(&places[4], MOST).unwrap()), ["e", "f", "g", "h"]);
    }

    #[test]
    fn what_was_given_up_while_it_waited_is_not_taken_along() {
        let waiting = Waiting::default();
        let place = join(&waiting, Script::Save, "alice");
        drop(join(&waiting, Script::Save, "bob"));
        let _carol = join(&waiting, Script::Save, "carol");
        assert_eq!(users(&waiting.take(&place, MOST).unwrap()), ["alice", "carol"]);
    }

    #[test]
    fn what_is_large_or_in_doubt_goes_alone() {
        let large = "x".repeat(MOST_BYTES);
        let run = |text, is_alone| {
            let arguments = [Argument::Text(Some(text)), 1_i64.into()];
            Run { script: Script::Save, arguments: &arguments, within: WITHIN, is_alone }.may_join()
        };
        assert!(run("small", false));
        assert!(!run(&large, false));
        assert!(!run("small", true));
    }

    #[test]
    fn all_locks_of_several_are_waited_for_for_a_part_of_the_time() {
        let several = u32::try_from(MOST).unwrap();
        for millis in [100, 5_000, 600_000] {
            let within = Duration::from_millis(millis);
            let bound = lock_bound(within);
            assert!(bound * several <= within / 4 && bound <= LONGEST_LOCK, "{within:?}");
        }
        assert_eq!(lock_bound(Duration::ZERO), Duration::from_millis(1));
    }
}
