//! Figures of all calls, for Prometheus and the console.
//!
//! Counting a call costs a read lock and some additions: series are made once for each tool, and tools are few.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cortex_runtime::{Ending, Execution, Phases, Runtime};

/// Upper bounds of the buckets of durations, in microseconds.
const BUCKETS_US: [u64; 14] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 30_000_000];

/// How many tools have series of their own. Names come from manifests, but somebody may write many of those.
const TOOLS: usize = 1_000;
/// Where the calls of all further tools are counted.
const OTHERS: &str = "_others";

const ENDINGS: [Ending; 14] = [
    Ending::Success,
    Ending::ToolError,
    Ending::InvalidInput,
    Ending::InvalidOutput,
    Ending::OutOfFuel,
    Ending::MemoryExceeded,
    Ending::DeadlineExceeded,
    Ending::OutputExceeded,
    Ending::LimitExceeded,
    Ending::Denied,
    Ending::Trap,
    Ending::Cancelled,
    Ending::BuildFailed,
    Ending::BackendUnavailable,
];

/// All figures.
#[derive(Debug, Default)]
pub struct Metrics {
    tools: RwLock<BTreeMap<Arc<str>, Arc<Series>>>,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    builds_ok: AtomicU64,
    builds_failed: AtomicU64,
    pub(crate) reloads: AtomicU64,
}

/// Those of one tool.
#[derive(Debug, Default)]
struct Series {
    endings: [AtomicU64; ENDINGS.len()],
    duration: Histogram,
    queue: Histogram,
    fuel: AtomicU64,
    http_requests: AtomicU64,
    memory_peak_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    fn record(&self, micros: u64) {
        if let Some(at) = BUCKETS_US.iter().position(|bound| micros <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in seconds and fractions of them")]
    fn write(&self, text: &mut String, name: &str, tool: &str) {
        let mut sum = 0;
        for (bound, bucket) in BUCKETS_US.iter().zip(&self.buckets) {
            sum += bucket.load(Ordering::Relaxed);
            let seconds = *bound as f64 / 1e6;
            let _ = writeln!(text, "{name}_bucket{{tool=\"{tool}\",le=\"{seconds}\"}} {sum}");
        }
        let count = self.count.load(Ordering::Relaxed).max(sum);
        let total = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(text, "{name}_bucket{{tool=\"{tool}\",le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{{tool=\"{tool}\"}} {total}");
        let _ = writeln!(text, "{name}_count{{tool=\"{tool}\"}} {count}");
    }
}

/// Which figure of a tool.
type Pick = fn(&Series) -> &AtomicU64;

/// Sums over all tools.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
}

impl Metrics {
    /// Counts a call that has ended.
    pub(crate) fn count(&self, execution: &Execution, phases: &Phases) {
        let series = self.series(&execution.tool);
        if let Some(at) = ENDINGS.iter().position(|ending| *ending == execution.ending) {
            series.endings[at].fetch_add(1, Ordering::Relaxed);
        }
        let usage = &execution.usage;
        series.duration.record(usage.wall_us);
        series.queue.record(u64::try_from(phases.queue.as_micros()).unwrap_or(u64::MAX));
        series.fuel.fetch_add(usage.fuel, Ordering::Relaxed);
        series.http_requests.fetch_add(usage.http_requests, Ordering::Relaxed);
        series.memory_peak_bytes.fetch_max(usage.memory_peak_bytes, Ordering::Relaxed);
        let cache = if execution.cached { &self.cache_hits } else { &self.cache_misses };
        cache.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_build(&self, worked: bool) {
        if worked { &self.builds_ok } else { &self.builds_failed }.fetch_add(1, Ordering::Relaxed);
    }

    fn series(&self, tool: &str) -> Arc<Series> {
        if let Some(series) = self.tools.read().unwrap_or_else(PoisonError::into_inner).get(tool) {
            return Arc::clone(series);
        }
        let mut tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
        let tool = if tools.len() < TOOLS || tools.contains_key(tool) { tool } else { OTHERS };
        Arc::clone(tools.entry(tool.into()).or_default())
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for series in self.tools.read().unwrap_or_else(PoisonError::into_inner).values() {
            for (ending, count) in ENDINGS.iter().zip(&series.endings) {
                let count = count.load(Ordering::Relaxed);
                totals.calls += count;
                totals.failed += if *ending == Ending::Success { 0 } else { count };
            }
        }
        totals
    }

    /// Calls by tool and ending so far.
    pub(crate) fn calls(&self) -> Vec<(Arc<str>, &'static str, u64)> {
        let tools = self.tools.read().unwrap_or_else(PoisonError::into_inner);
        let counted = tools.iter().flat_map(|(tool, series)| {
            let counts = ENDINGS.iter().zip(&series.endings);
            counts.map(|(ending, count)| (Arc::clone(tool), ending.as_str(), count.load(Ordering::Relaxed)))
        });
        counted.filter(|(.., count)| *count > 0).collect()
    }

    /// All of it in the text format of Prometheus.
    pub(crate) fn prometheus(&self, runtime: &Runtime) -> String {
        let mut text = String::with_capacity(16 << 10);
        let tools: Vec<_> = {
            let tools = self.tools.read().unwrap_or_else(PoisonError::into_inner);
            tools.iter().map(|(tool, series)| (label(tool), Arc::clone(series))).collect()
        };
        head(&mut text, "cortex_calls_total", "counter", "Calls by tool and ending.");
        for (tool, ending, count) in self.calls() {
            let _ = writeln!(text, "cortex_calls_total{{tool=\"{}\",ending=\"{ending}\"}} {count}", label(&tool));
        }
        let duration = "cortex_call_duration_seconds";
        head(&mut text, duration, "histogram", "Time of calls in their sandbox, the start of it included.");
        for (tool, series) in &tools {
            series.duration.write(&mut text, duration, tool);
        }
        let queue = "cortex_queue_duration_seconds";
        head(&mut text, queue, "histogram", "Time that calls waited for their turn.");
        for (tool, series) in &tools {
            series.queue.write(&mut text, queue, tool);
        }
        let each: [(&str, &str, &str, Pick); 3] = [
            ("cortex_fuel_total", "counter", "Fuel that calls used.", |series| &series.fuel),
            ("cortex_http_requests_total", "counter", "Requests that tools made.", |series| &series.http_requests),
            ("cortex_memory_peak_bytes", "gauge", "The most memory that a call used.", |series| {
                &series.memory_peak_bytes
            }),
        ];
        for (name, kind, help, pick) in each {
            head(&mut text, name, kind, help);
            for (tool, series) in &tools {
                let _ = writeln!(text, "{name}{{tool=\"{tool}\"}} {}", pick(series).load(Ordering::Relaxed));
            }
        }
        self.of_the_process(&mut text, runtime);
        text
    }

    fn of_the_process(&self, text: &mut String, runtime: &Runtime) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        head(text, "cortex_component_cache_total", "counter", "Calls that found their tool ready, or not.");
        let _ = writeln!(text, "cortex_component_cache_total{{result=\"hit\"}} {}", get(&self.cache_hits));
        let _ = writeln!(text, "cortex_component_cache_total{{result=\"miss\"}} {}", get(&self.cache_misses));
        head(text, "cortex_builds_total", "counter", "Builds that were asked for, by how they ended.");
        let _ = writeln!(text, "cortex_builds_total{{result=\"success\"}} {}", get(&self.builds_ok));
        let _ = writeln!(text, "cortex_builds_total{{result=\"failed\"}} {}", get(&self.builds_failed));
        head(text, "cortex_reloads_total", "counter", "Tools that were swapped for a changed version.");
        let _ = writeln!(text, "cortex_reloads_total {}", get(&self.reloads));
        if let Some(queue) = runtime.queue() {
            head(text, "cortex_calls_running", "gauge", "Calls that run now: places of the pool in use.");
            let _ = writeln!(text, "cortex_calls_running {}", queue.running);
            head(text, "cortex_pool_size", "gauge", "Places of the pool.");
            let _ = writeln!(text, "cortex_pool_size {}", queue.limits.running);
            head(text, "cortex_queue_length", "gauge", "Calls that wait for their turn.");
            let _ = writeln!(text, "cortex_queue_length {}", queue.waiting);
        }
        if let Ok(cache) = runtime.cache_usage() {
            head(text, "cortex_compiled_code_bytes", "gauge", "Compiled code on disk.");
            let _ = writeln!(text, "cortex_compiled_code_bytes {}", cache.bytes);
        }
        if let Some(bytes) = resident_bytes() {
            head(text, "process_resident_memory_bytes", "gauge", "Memory of this process.");
            let _ = writeln!(text, "process_resident_memory_bytes {bytes}");
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A tool's name as the value of a label.
fn label(tool: &str) -> String {
    tool.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Memory of this process, where the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
