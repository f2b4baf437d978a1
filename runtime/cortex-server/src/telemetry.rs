//! Traces and metrics by OTLP over HTTP: a span a call, below what the caller named in `traceparent`, with children for
//! its parts, and the same figures that `/metrics` has.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cortex_runtime::{CallSpan, Ending, Execution, Phases, Telemetry};
use opentelemetry::metrics::{Histogram, MeterProvider as _};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider, Span};

use crate::metrics::Metrics;
use crate::otlp::OtlpClient;

/// How often metrics are sent.
const INTERVAL: Duration = Duration::from_secs(15);

/// What a server's runtime reports to.
pub struct ServerTelemetry {
    metrics: Arc<Metrics>,
    otlp: Option<Otlp>,
}

struct Otlp {
    tracer: SdkTracer,
    traces: SdkTracerProvider,
    meters: SdkMeterProvider,
    duration: Histogram<f64>,
}

impl std::fmt::Debug for ServerTelemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTelemetry").field("otlp", &self.otlp.is_some()).finish_non_exhaustive()
    }
}

impl ServerTelemetry {
    /// Counts only.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, otlp: None }
    }

    /// Sends to a collector as well. Must be called on a tokio runtime.
    pub fn with_otlp(metrics: Arc<Metrics>, endpoint: &str) -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        let endpoint = endpoint.trim_end_matches('/');
        let client = OtlpClient::here();
        let resource = || Resource::builder().with_service_name("cortex-wasm").build();
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .build()?;
        let figures = MetricExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{endpoint}/v1/metrics"))
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(spans)
            .with_id_generator(ChosenIds::default())
            .with_resource(resource())
            .build();
        let reader = PeriodicReader::builder(figures).with_interval(INTERVAL).build();
        let meters = SdkMeterProvider::builder().with_reader(reader).with_resource(resource()).build();
        let meter = meters.meter("cortex-wasm");
        let counted = Arc::clone(&metrics);
        let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            for (tool, ending, count) in counted.calls() {
                observer.observe(count, &[KeyValue::new("tool", tool), KeyValue::new("ending", ending)]);
            }
        };
        meter.u64_observable_counter("cortex.calls").with_callback(observe).build();
        let duration = meter.f64_histogram("cortex.call.duration").with_unit("s").build();
        let tracer = provider.tracer("cortex-wasm");
        Ok(Self { metrics, otlp: Some(Otlp { tracer, traces: provider, meters, duration }) })
    }

    /// Sends what is left. Blocks.
    pub fn shutdown(&self) {
        if let Some(otlp) = &self.otlp {
            for result in [otlp.traces.shutdown(), otlp.meters.shutdown()] {
                if let Err(error) = result {
                    tracing::warn!(%error, "the last traces and metrics were not sent");
                }
            }
        }
    }
}

impl Telemetry for ServerTelemetry {
    fn begin(&self, tool: &str, parent: Option<&str>) -> Option<Box<dyn CallSpan>> {
        let otlp = self.otlp.as_ref()?;
        let context =
            parent.and_then(parse).map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
        let builder = otlp
            .tracer
            .span_builder("call")
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("cortex.tool", tool.to_owned())]);
        let span = otlp.tracer.build_with_context(builder, &context);
        Some(Box::new(OpenSpan { span, tracer: otlp.tracer.clone(), began: SystemTime::now() }))
    }

    fn end(&self, execution: &Execution, phases: &Phases) {
        self.metrics.count(execution, phases);
        if let Some(otlp) = &self.otlp {
            let attributes =
                [KeyValue::new("tool", execution.tool.to_string()), KeyValue::new("ending", execution.ending.as_str())];
            otlp.duration.record(Duration::from_micros(execution.usage.wall_us).as_secs_f64(), &attributes);
        }
    }
}

struct OpenSpan {
    span: Span,
    tracer: SdkTracer,
    began: SystemTime,
}

impl CallSpan for OpenSpan {
    fn traceparent(&self) -> Option<String> {
        let context = self.span.span_context();
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        context.is_valid().then(|| format!("00-{trace}-{span}-{flags:02x}"))
    }

    fn end(self: Box<Self>, execution: &Execution, phases: &Phases) {
        let Self { mut span, tracer, began } = *self;
        let usage = &execution.usage;
        let below = Context::new().with_remote_span_context(span.span_context().clone());
        let instantiate = Duration::from_micros(usage.instantiate_us);
        let run = Duration::from_micros(usage.wall_us.saturating_sub(usage.instantiate_us));
        let mut at = began;
        let parts = [
            ("load", phases.load),
            ("queue", phases.queue),
            ("validate", phases.validate),
            ("instantiate", instantiate),
            ("run", run),
        ];
        for (name, took) in parts {
            let mut child = tracer.build_with_context(tracer.span_builder(name).with_start_time(at), &below);
            at += took;
            if name == "run" {
                requests(&tracer, &mut child, execution, at);
            }
            child.end_with_timestamp(at);
        }
        span.set_attributes([
            KeyValue::new("cortex.execution", execution.execution_id.to_string()),
            KeyValue::new("cortex.ending", execution.ending.as_str()),
            KeyValue::new("cortex.fuel", i64::try_from(usage.fuel).unwrap_or(i64::MAX)),
            KeyValue::new("cortex.memory_peak_bytes", i64::try_from(usage.memory_peak_bytes).unwrap_or(i64::MAX)),
        ]);
        span.set_status(match execution.ending {
            Ending::Success => Status::Ok,
            ending => Status::error(ending.as_str()),
        });
        span.end();
    }
}

/// Each request is a span below the call's run, the one that its server was told. One that was refused never was a request.
fn requests(tracer: &SdkTracer, run: &mut Span, execution: &Execution, end: SystemTime) {
    let below = Context::new().with_remote_span_context(run.span_context().clone());
    for decision in execution.decisions.iter().filter(|decision| decision.capability == "network") {
        let target = KeyValue::new("cortex.target", decision.target.clone());
        let Some(request) = &decision.request else {
            let name = if decision.allowed { "http allowed" } else { "http refused" };
            run.add_event(name, vec![target]);
            continue;
        };
        let builder = tracer.span_builder("http").with_kind(SpanKind::Client).with_start_time(request.began);
        let mut span = ChosenIds::choose(SpanId::from_bytes(request.id), || tracer.build_with_context(builder, &below));
        span.set_attribute(target);
        if let Some(rule) = &decision.rule {
            span.set_attribute(KeyValue::new("cortex.rule", rule.clone()));
        }
        match request.status {
            Some(status) => span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status))),
            // A tunnel has none either.
            None if decision.target.starts_with("CONNECT ") => {}
            None => span.set_status(Status::error("no answer")),
        }
        span.end_with_timestamp(request.took.map_or(end, |took| request.began + took));
    }
}

/// Identities as they come, but for a span whose identity others know already.
#[derive(Debug, Default)]
struct ChosenIds(RandomIdGenerator);

thread_local! {
    static CHOSEN: Cell<Option<SpanId>> = const { Cell::new(None) };
}

impl ChosenIds {
    /// The span that is built meanwhile has this identity.
    fn choose(id: SpanId, build: impl FnOnce() -> Span) -> Span {
        CHOSEN.set(Some(id));
        let span = build();
        CHOSEN.set(None);
        span
    }
}

impl IdGenerator for ChosenIds {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        CHOSEN.take().unwrap_or_else(|| self.0.new_span_id())
    }
}

/// The W3C header: version, trace, span and flags in hexadecimal.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}
