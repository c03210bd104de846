//! Whether what concurrent tasks saw of one key can have happened one step at a time.

use super::check::{Verdict, ensure, fail};
use crate::record::Revision;

/// From the moment that an operation was begun to the moment that its answer was there, by a
/// clock that all tasks share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begun: u64,
    pub(super) ended: u64,
}

/// A save and what came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved {
    pub(super) span: Span,
    /// The fencing token that it was made with.
    pub(super) token: u64,
    pub(super) replaced: Option<Revision>,
    pub(super) made: Revision,
    /// Whether it was acknowledged; otherwise it was refused and must not be seen.
    pub(super) acknowledged: bool,
}

/// A load and the revision that it found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) span: Span,
    pub(super) found: Option<Revision>,
}

/// The time during which a lease was held for sure: from the answer that gave it to the begin of
/// its release.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) span: Span,
    pub(super) token: u64,
}

/// What happened to one key that had no record before.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) saves: Vec<Saved>,
    pub(super) loads: Vec<Loaded>,
    pub(super) holds: Vec<Hold>,
    /// What the saves of a holder failed with, who saved over what it had just loaded.
    pub(super) failures: Vec<String>,
}

impl History {
    /// Fails unless the contract explains all of it.
    pub(super) fn check(&self) -> Verdict {
        self.saves_form_one_chain()?;
        self.holds_follow_each_other()?;
        self.loads.iter().try_for_each(|load| self.explains(load))?;
        match self.failures.first() {
            Some(failure) => fail!("nothing explains that a holder's save failed: {failure}"),
            None => Ok(()),
        }
    }

    /// The acknowledged saves, by the version that they made.
    fn chain(&self) -> Vec<Saved> {
        let mut chain: Vec<_> = self.saves.iter().copied().filter(|s| s.acknowledged).collect();
        chain.sort_by_key(|save| save.made.version);
        chain
    }

    /// Each version was made once, of the one before it, with a token that is not older.
    fn saves_form_one_chain(&self) -> Verdict {
        let (mut last, mut token) = (None, 0);
        for save in self.chain() {
            let version = save.made.version;
            ensure!(
                save.replaced == last,
                "the acknowledged save of version {version} was made from {}, not from {}: an \
                 update was lost",
                shown(save.replaced),
                shown(last)
            );
            ensure!(
                save.token >= token,
                "version {version} was saved with fencing token {} after {token}",
                save.token
            );
            (last, token) = (Some(save.made), save.token);
        }
        Ok(())
    }

    /// No two leases were held at one moment, and later ones have greater tokens.
    fn holds_follow_each_other(&self) -> Verdict {
        let mut holds = self.holds.clone();
        holds.sort_by_key(|hold| hold.span.begun);
        for (one, next) in holds.iter().zip(holds.iter().skip(1)) {
            ensure!(
                one.span.ended < next.span.begun,
                "the leases with the fencing tokens {} and {} were held at the same time",
                one.token,
                next.token
            );
            ensure!(
                one.token < next.token,
                "the fencing token {} was given after {}",
                next.token,
                one.token
            );
        }
        Ok(())
    }

    /// What was loaded is not older than what was saved before the load began, and was not saved
    /// after it ended.
    fn explains(&self, load: &Loaded) -> Verdict {
        let version = load.found.map_or(0, |revision| revision.version);
        let saved = self.chain();
        let due = saved.iter().filter(|save| save.span.ended < load.span.begun);
        let due = due.map(|save| save.made.version).max().unwrap_or(0);
        ensure!(
            version >= due,
            "a load found version {version} although the save of version {due} had been \
             acknowledged before it began"
        );
        let Some(found) = load.found else { return Ok(()) };
        let Some(save) = self.saves.iter().find(|save| save.made == found) else {
            fail!("a load found version {version}, which nobody saved");
        };
        ensure!(save.acknowledged, "a load found version {version}, whose save was refused");
        ensure!(
            save.span.begun < load.span.ended,
            "a load found version {version} before its save began"
        );
        Ok(())
    }
}

fn shown(revision: Option<Revision>) -> String {
    revision.map_or("no record".to_owned(), |found| {
        format!("version {} ({})", found.version, found.write_id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::check::Stop;

    /// Three saves under two leases, one after the other: tick 0 to 10, 20 to 30, 40 to 50.
    fn good() -> History {
        let mut history = History::default();
        let mut last = None;
        for (number, token) in [(0, 1), (1, 1), (2, 2)] {
            let span = Span { begun: number * 20, ended: number * 20 + 10 };
            let made = Revision::after(last);
            let save = Saved { span, token, replaced: last, made, acknowledged: true };
            history.saves.push(save);
            last = Some(made);
        }
        history.holds = vec![hold(0, 31, 1), hold(35, 60, 2)];
        history
    }

    fn hold(begun: u64, ended: u64, token: u64) -> Hold {
        Hold { span: Span { begun, ended }, token }
    }

    fn made(history: &History, version: usize) -> Revision {
        history.saves[version - 1].made
    }

    fn load(history: &mut History, begun: u64, ended: u64, found: impl Into<Option<Revision>>) {
        history.loads.push(Loaded { span: Span { begun, ended }, found: found.into() });
    }

    fn refused(history: &History) -> String {
        match history.check() {
            Err(Stop::Failed(failure)) => failure.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn saves_one_after_the_other_are_consistent() {
        good().check().unwrap();
        History::default().check().unwrap();
    }

    #[test]
    fn a_load_may_find_the_record_before_or_after_a_save_that_runs() {
        let mut history = good();
        let (first, second) = (made(&history, 1), made(&history, 2));
        load(&mut history, 21, 29, first);
        load(&mut history, 21, 29, second);
        load(&mut history, 5, 25, None);
        history.check().unwrap();
    }

    #[test]
    fn a_refused_save_that_nobody_saw_is_consistent() {
        let mut history = good();
        let first = made(&history, 1);
        let stale =
            Saved { made: Revision::after(Some(first)), acknowledged: false, ..history.saves[1] };
        history.saves.push(stale);
        history.check().unwrap();
    }

    #[test]
    fn a_load_older_than_an_acknowledged_save_is_found() {
        let mut history = good();
        let first = made(&history, 1);
        load(&mut history, 31, 33, first);
        assert!(refused(&history).contains("version 1 although the save of version 2"));
    }

    #[test]
    fn a_load_that_misses_every_record_is_found() {
        let mut history = good();
        load(&mut history, 11, 12, None);
        assert!(refused(&history).contains("version 0 although the save of version 1"));
    }

    #[test]
    fn a_load_from_the_future_is_found() {
        let mut history = good();
        let third = made(&history, 3);
        load(&mut history, 31, 33, third);
        assert!(refused(&history).contains("before its save began"));
    }

    #[test]
    fn a_load_of_what_nobody_saved_is_found() {
        let mut history = good();
        let second = made(&history, 2);
        load(&mut history, 31, 33, Revision::after(Some(second)));
        assert!(refused(&history).contains("which nobody saved"));
    }

    #[test]
    fn a_load_of_what_was_refused_is_found() {
        let mut history = good();
        history.saves[2].acknowledged = false;
        let third = made(&history, 3);
        load(&mut history, 61, 62, third);
        assert!(refused(&history).contains("whose save was refused"));
    }

    #[test]
    fn two_saves_made_from_one_version_are_found() {
        let mut history = good();
        let first = made(&history, 1);
        let lost = Saved { made: Revision::after(Some(first)), ..history.saves[1] };
        history.saves.push(lost);
        assert!(refused(&history).contains("an update was lost"));
    }

    #[test]
    fn a_gap_in_the_chain_is_found() {
        let mut history = good();
        history.saves.remove(1);
        assert!(refused(&history).contains("an update was lost"));
    }

    #[test]
    fn an_older_token_that_saved_later_is_found() {
        let mut history = good();
        history.saves[2].token = 0;
        assert!(refused(&history).contains("fencing token 0 after 1"));
    }

    #[test]
    fn two_holders_at_one_time_are_found() {
        let mut history = good();
        history.holds[1].span.begun = 30;
        assert!(refused(&history).contains("held at the same time"));
    }

    #[test]
    fn a_save_that_failed_without_a_reason_is_found() {
        let mut history = good();
        history.failures.push("Conflict".to_owned());
        assert!(refused(&history).contains("a holder's save failed: Conflict"));
    }

    #[test]
    fn tokens_that_do_not_grow_are_found() {
        let mut history = good();
        history.holds[1].token = 1;
        assert!(refused(&history).contains("was given after"));
    }
}
