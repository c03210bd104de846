//! Who is compared, and with what guarantees.

use std::pin::Pin;

use crate::chat::{Chat, Turn};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Outcome<T> = Result<T, Failure>;
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes something that works at a URL or in a folder.
pub(crate) type Make<T> = fn(&str) -> BoxFuture<'static, Outcome<T>>;

/// Keeps a chat under each key.
pub(crate) trait Store: Send + Sync + 'static {
    /// Puts a chat where there is none.
    fn first(&self, key: &str, chat: &Chat) -> impl Future<Output = Outcome<()>> + Send;

    /// Loads, has a turn, saves.
    fn turn(&self, key: &str, turn: Turn) -> impl Future<Output = Outcome<()>> + Send;
}

/// A [`Store`] of any type.
pub(crate) trait AnyStore: Send + Sync {
    fn first<'a>(&'a self, key: &'a str, chat: &'a Chat) -> BoxFuture<'a, Outcome<()>>;

    /// So many turns, one after the other.
    fn turns<'a>(&'a self, key: &'a str, turn: Turn, count: u32) -> BoxFuture<'a, Outcome<()>>;
}

impl<S: Store> AnyStore for S {
    fn first<'a>(&'a self, key: &'a str, chat: &'a Chat) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(Store::first(self, key, chat))
    }

    fn turns<'a>(&'a self, key: &'a str, turn: Turn, count: u32) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(async move {
            for _ in 0..count {
                self.turn(key, turn).await?;
            }
            Ok(())
        })
    }
}

/// What wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By hand, as little as does the work.
    Floor,
    /// This library.
    Ours,
    /// Another library.
    Peer,
}

/// What holds once a save returned.
#[derive(Clone, Copy)]
pub(crate) struct Guarantees {
    /// Whether two bodies on one key wait for each other.
    pub(crate) lease: bool,
    /// Whether a save from an older version is refused.
    pub(crate) version: bool,
    /// Whether damage is found when a state is loaded.
    pub(crate) checksum: bool,
    /// Which earlier versions are kept.
    pub(crate) history: &'static str,
    /// What a state survives.
    pub(crate) survives: &'static str,
}

/// One of those that are compared on a medium.
#[derive(Clone, Copy)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) guarantees: Guarantees,
    /// Makes it on a place of the medium.
    pub(crate) make: Make<Box<dyn AnyStore>>,
}

pub(crate) const NOTHING: &str = "nothing";
pub(crate) const POWER_CUT: &str = "a power cut";

impl Guarantees {
    /// The last writer wins.
    pub(crate) const NONE: Self =
        Self { lease: false, version: false, checksum: false, history: "none", survives: NOTHING };

    pub(crate) const fn versioned(self) -> Self {
        Self { version: true, ..self }
    }

    pub(crate) const fn survives(self, survives: &'static str) -> Self {
        Self { survives, ..self }
    }

    pub(crate) const fn history(self, history: &'static str) -> Self {
        Self { history, ..self }
    }

    /// Those of this library.
    pub(crate) const fn ours(history: &'static str, survives: &'static str) -> Self {
        Self { lease: true, version: true, checksum: true, history, survives }
    }
}
