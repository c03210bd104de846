//! What can be seen of the server from outside: its log, its metrics and, with the feature `otel`,
//! its spans.

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Seconds: from a save in memory to a turn of a slow model.
const BUCKETS: [f64; 9] = [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.1, 1.0, 10.0, 60.0];
/// What spans say that they come from.
#[cfg(feature = "otel")]
const SERVICE_NAME: &str = "chat-server";
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Telemetry {
    pub(crate) metrics: PrometheusHandle,
    #[cfg(feature = "otel")]
    spans: opentelemetry_sdk::trace::SdkTracerProvider,
}

pub(crate) fn start() -> Result<Telemetry> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let wanted: Targets = wanted.parse().context("RUST_LOG is not understood")?;
    let is_terminal = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt::layer().with_ansi(is_terminal).with_writer(io::stderr);
    let log = log.with_filter(wanted);
    let subscriber = tracing_subscriber::registry().with(log);

    #[cfg(not(feature = "otel"))]
    subscriber.init();
    #[cfg(feature = "otel")]
    let spans = {
        let provider = spans();
        subscriber.with(exported(&provider)).init();
        provider
    };

    let metrics = metrics()?;
    #[cfg(not(feature = "otel"))]
    return Ok(Telemetry { metrics });
    #[cfg(feature = "otel")]
    Ok(Telemetry { metrics, spans })
}

fn metrics() -> Result<PrometheusHandle> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS)?;
    let handle = builder.install_recorder()?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// On standard output. For a collector, give the builder an exporter of `opentelemetry-otlp`
/// (`with_batch_exporter`) instead: nothing else changes.
#[cfg(feature = "otel")]
fn spans() -> opentelemetry_sdk::trace::SdkTracerProvider {
    let server = opentelemetry_sdk::Resource::builder().with_service_name(SERVICE_NAME).build();
    opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_resource(server)
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build()
}

/// The library's spans are of the level DEBUG: they are wanted here whatever the log shows.
#[cfg(feature = "otel")]
fn exported<S>(
    provider: &opentelemetry_sdk::trace::SdkTracerProvider,
) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    use opentelemetry::trace::TracerProvider;

    let wanted = Targets::new().with_target("cogency_state", tracing::Level::DEBUG);
    tracing_opentelemetry::layer().with_tracer(provider.tracer(SERVICE_NAME)).with_filter(wanted)
}

impl Telemetry {
    /// Nothing of it is lost at the end.
    #[cfg_attr(not(feature = "otel"), expect(clippy::unused_self, clippy::unnecessary_wraps))]
    pub(crate) fn end(self) -> Result<()> {
        #[cfg(feature = "otel")]
        self.spans.shutdown()?;
        Ok(())
    }
}
