//! The state of a call, without its type wherever that is not needed.

use std::future::Future;
use std::pin::Pin;

use super::Persist;
use crate::codec::{self, AnyState};
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::{OpenCall, Place, Terms};

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What becomes of a call when an attempt has ended.
#[derive(Debug)]
pub(super) enum Ended {
    Done,
    NotSaved(Error),
    Again,
}

/// A call's state, from what it was told of it to what was loaded.
#[derive(Debug)]
pub(super) struct Call {
    /// Until the first attempt.
    source: Option<Source>,
    /// From the first attempt on.
    open: Option<OpenCall>,
}

/// Where a state is.
#[derive(Debug)]
struct Source {
    persist: Persist,
    key: Result<StateKey, Error>,
    terms: Terms,
}

impl Call {
    pub(super) fn new(persist: Persist, key: Result<StateKey, Error>, terms: Terms) -> Self {
        Self { source: Some(Source { persist, key, terms }), open: None }
    }

    /// The key that it holds.
    pub(super) fn place(&self) -> Option<&Place> {
        self.open.as_ref().map(OpenCall::place)
    }

    pub(super) async fn begin<T>(
        &mut self,
        codec: codec::Codec<T>,
        fresh: fn() -> T,
    ) -> Result<T, Error> {
        if let Some(source) = self.source.take() {
            self.open = Some(open(source).await?);
        }
        match &self.open {
            Some(open) => open.read(codec, fresh).await,
            None => Ok(fresh()),
        }
    }

    pub(super) fn save(&mut self, state: Box<dyn AnyState>) -> BoxFuture<'_, Ended> {
        Box::pin(async {
            let Some(open) = self.open.take() else { return Ended::Done };
            open.save(state).await.map_or_else(Ended::NotSaved, |_| Ended::Done)
        })
    }

    pub(super) fn release(&mut self) -> BoxFuture<'_, Ended> {
        Box::pin(async {
            if let Some(open) = self.open.take() {
                open.release().await;
            }
            Ended::Done
        })
    }
}

fn open(source: Source) -> BoxFuture<'static, Result<OpenCall, Error>> {
    Box::pin(async move {
        let Source { persist, key, terms } = source;
        let key = key?;
        OpenCall::open(persist.resolve()?, &key, terms).await
    })
}
