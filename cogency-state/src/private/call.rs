//! The state of a call, without its type wherever that is not needed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tracing::Instrument;

use super::Persist;
use crate::codec::{self, AnyState};
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::{Attempt, HeldKeys, OpenCall, Outcome, Terms, is_enabled, tell};
use crate::observe::{CallSpan, Ending};

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
    source: Option<Box<Source>>,
    /// From the first attempt on, unless the manager or the process is switched off.
    open: Option<Box<OpenCall>>,
    /// What the body of the attempt that runs was shown.
    attempt: Option<Arc<Attempt>>,
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
        let source = Box::new(Source { persist, key, terms });
        Self { source: Some(source), open: None, attempt: None }
    }

    /// What it was told, until the first attempt.
    pub(super) fn terms(&mut self) -> Option<&mut Terms> {
        self.source.as_mut().map(|source| &mut source.terms)
    }

    /// Has it fail before it begins, unless something else does.
    pub(super) fn refuse(&mut self, error: Error) {
        if let Some(source) = &mut self.source
            && source.key.is_ok()
        {
            source.key = Err(error);
        }
    }

    /// What the next attempt holds.
    pub(super) fn held(&mut self) -> Option<Arc<HeldKeys>> {
        let Some(open) = &self.open else { return HeldKeys::and_none() };
        let attempt = open.attempt();
        self.attempt = Some(Arc::clone(&attempt));
        Some(HeldKeys::and(open.place().clone(), attempt))
    }

    pub(super) async fn begin<T>(
        &mut self,
        codec: codec::Codec<T>,
        fresh: fn() -> T,
    ) -> Result<T, Error> {
        if let Some(source) = self.source.take() {
            self.open = open(source).await?;
        }
        match &mut self.open {
            Some(open) => open.read(codec, fresh).await,
            None => Ok(fresh()),
        }
    }

    pub(super) fn save<'a>(
        &'a mut self,
        state: Box<dyn AnyState>,
        seen: &'a mut CallSpan,
    ) -> BoxFuture<'a, Ended> {
        Box::pin(async {
            let Some(open) = self.open.take() else {
                tell(Outcome::off());
                seen.ends(Ending::Done);
                return Ended::Done;
            };
            let said = self.attempt.take().map(|attempt| attempt.take_said()).unwrap_or_default();
            match open.save(state, said).instrument(seen.span().clone()).await {
                Ok(outcome) => {
                    tell(outcome);
                    seen.ends(if outcome.is_spooled() { Ending::Spooled } else { Ending::Saved });
                    Ended::Done
                }
                Err(error) => {
                    seen.refused(&error);
                    Ended::NotSaved(error)
                }
            }
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

/// `None` where nothing is to be touched.
fn open(source: Box<Source>) -> BoxFuture<'static, Result<Option<Box<OpenCall>>, Error>> {
    Box::pin(async move {
        let Source { persist, key, mut terms } = *source;
        let key = key?;
        if !is_enabled() {
            return Ok(None);
        }
        let manager = persist.resolve()?;
        if !manager.is_enabled() {
            return Ok(None);
        }
        OpenCall::open(manager, &key, &mut terms).await.map(Some)
    })
}
