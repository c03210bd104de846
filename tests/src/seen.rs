//! Writes down the spans and events of one thread.
//!
//! One subscriber serves the whole process and finds the notes of its thread. A subscriber of each
//! thread (`tracing::subscriber::set_default`) would miss events: `tracing` remembers of each place
//! in the code whether anybody listens, and may ask a thread where nobody does.

#![expect(clippy::missing_panics_doc)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Debug)]
pub struct Noted {
    pub name: String,
    pub target: String,
    pub level: tracing::Level,
    pub fields: Fields,
    /// The spans around it, from the outermost.
    pub within: Vec<String>,
}

#[derive(Clone, Default)]
pub struct Seen {
    spans: Arc<Mutex<BTreeMap<u64, Noted>>>,
    events: Arc<Mutex<Vec<Noted>>>,
}

thread_local! {
    static HERE: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Starts listening for the whole process. Each test calls it that reaches the same places in the
/// code as one that looks at what they say.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let listener = tracing_subscriber::registry().with(Listener);
        tracing::subscriber::set_global_default(listener).unwrap();
    });
}

/// Ends the notes of this thread.
pub struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

impl Seen {
    /// From now on, until the guard is dropped.
    #[must_use]
    pub fn on_this_thread() -> (Self, Guard) {
        listen();
        let seen = Self::default();
        HERE.set(Some(seen.clone()));
        (seen, Guard(()))
    }

    fn here() -> Option<Self> {
        HERE.with_borrow(Clone::clone)
    }

    /// The spans of a name, in the order in which they began.
    #[must_use]
    pub fn spans(&self, name: &str) -> Vec<Noted> {
        let spans = self.spans.lock().unwrap();
        spans.values().filter(|span| span.name == name).cloned().collect()
    }

    /// The events with this message.
    #[must_use]
    pub fn events(&self, message: &str) -> Vec<Noted> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.name == message).cloned().collect()
    }

    /// How many events there are of this level.
    #[must_use]
    pub fn count(&self, level: tracing::Level) -> usize {
        self.events.lock().unwrap().iter().filter(|event| event.level == level).count()
    }

    /// All of it, as text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:#?} {:#?}", self.spans.lock().unwrap(), self.events.lock().unwrap())
    }
}

struct Texts<'a>(&'a mut Fields);

impl Visit for Texts<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

fn names<'a, S>(spans: impl Iterator<Item = SpanRef<'a, S>>) -> Vec<String>
where
    S: for<'span> LookupSpan<'span> + 'a,
{
    let mut names: Vec<_> = spans.map(|span| span.name().to_owned()).collect();
    names.reverse();
    names
}

struct Listener;

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(seen) = Seen::here() else { return };
        let mut fields = Fields::new();
        attributes.record(&mut Texts(&mut fields));
        let metadata = attributes.metadata();
        let within = names(context.span_scope(id).into_iter().flatten().skip(1));
        let (name, target) = (metadata.name().to_owned(), metadata.target().to_owned());
        let noted = Noted { name, target, level: *metadata.level(), fields, within };
        let mut spans = seen.spans.lock().unwrap();
        let nth = spans.len() as u64;
        context.span(id).unwrap().extensions_mut().insert(nth);
        spans.insert(nth, noted);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(seen) = Seen::here() else { return };
        let Some(nth) = context.span(id).unwrap().extensions().get::<u64>().copied() else {
            return;
        };
        let mut spans = seen.spans.lock().unwrap();
        values.record(&mut Texts(&mut spans.get_mut(&nth).unwrap().fields));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(seen) = Seen::here() else { return };
        let mut fields = Fields::new();
        event.record(&mut Texts(&mut fields));
        let metadata = event.metadata();
        let within = names(context.event_scope(event).into_iter().flatten());
        let (name, target) =
            (fields.get("message").cloned().unwrap_or_default(), metadata.target().to_owned());
        let noted = Noted { name, target, level: *metadata.level(), fields, within };
        seen.events.lock().unwrap().push(noted);
    }
}
