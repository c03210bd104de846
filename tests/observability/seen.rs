//! Writes down the spans and events of this thread.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) level: tracing::Level,
    pub(crate) fields: Fields,
    /// The spans around it, from the outermost.
    pub(crate) within: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    spans: Arc<Mutex<BTreeMap<u64, Noted>>>,
    events: Arc<Mutex<Vec<Noted>>>,
}

impl Seen {
    /// From now on, until the guard is dropped.
    pub(crate) fn on_this_thread() -> (Self, impl Drop) {
        let seen = Self::default();
        let guard = tracing_subscriber::registry().with(seen.clone()).set_default();
        (seen, guard)
    }

    /// The spans of a name, in the order in which they began.
    pub(crate) fn spans(&self, name: &str) -> Vec<Noted> {
        let spans = self.spans.lock().unwrap();
        spans.values().filter(|span| span.name == name).cloned().collect()
    }

    /// The events with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Noted> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.name == message).cloned().collect()
    }

    /// All of it, as text.
    pub(crate) fn text(&self) -> String {
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

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Texts(&mut fields));
        let metadata = attributes.metadata();
        let around = context.span_scope(id).into_iter().flatten().skip(1);
        let mut within: Vec<_> = around.map(|span| span.name().to_owned()).collect();
        within.reverse();
        let (name, target) = (metadata.name().to_owned(), metadata.target().to_owned());
        let noted = Noted { name, target, level: *metadata.level(), fields, within };
        let mut spans = self.spans.lock().unwrap();
        let nth = spans.len() as u64;
        context.span(id).unwrap().extensions_mut().insert(nth);
        spans.insert(nth, noted);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let nth = *context.span(id).unwrap().extensions().get::<u64>().unwrap();
        let mut spans = self.spans.lock().unwrap();
        values.record(&mut Texts(&mut spans.get_mut(&nth).unwrap().fields));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Texts(&mut fields));
        let metadata = event.metadata();
        let around = context.event_scope(event).into_iter().flatten();
        let mut within: Vec<_> = around.map(|span| span.name().to_owned()).collect();
        within.reverse();
        let (name, target) =
            (fields.get("message").cloned().unwrap_or_default(), metadata.target().to_owned());
        let noted = Noted { name, target, level: *metadata.level(), fields, within };
        self.events.lock().unwrap().push(noted);
    }
}
