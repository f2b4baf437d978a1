//! Every limit of a call, and the one function that puts all of them on a store.
//!
//! Fuel bounds work, the deadline bounds time (host-blocked time included), and the limiter bounds memory over the whole
//! store. None of the three covers for another. The rest bounds host memory that a guest can drive.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::{Duration, Instant};

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::component::Contract;
use crate::ending::{Ending, Failure};
use crate::files::{FileLimits, FileOverrides};
use crate::guest::Guest;
use crate::network::{HttpLimits, HttpOverrides};
use crate::state::{StateLimits, StateOverrides};

/// What a call may use. Every limit has a value; there is no "unlimited".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel: about one unit for one WebAssembly instruction.
    pub fuel: u64,
    /// Wall time from the start of instantiation, host-blocked time included.
    pub timeout: Duration,
    /// The sum of all linear memories and tables of the call, in bytes.
    pub memory_bytes: u64,
    /// The largest result, and the largest standard output and standard error, in bytes.
    pub output_bytes: usize,
    /// The largest input, as JSON text, in bytes.
    pub input_bytes: usize,
    /// Core module instances, memories and tables: each at most this many.
    pub instances: usize,
    /// Resource handles that the guest holds on the host.
    pub handles: usize,
    /// Bytes that one host call may copy out of the guest.
    pub hostcall_bytes: usize,
    /// Random bytes that the guest is given in all.
    pub random_bytes: u64,
    /// Lines that the tool writes into the record; their text in all is at most `output_bytes`.
    pub log_lines: usize,
    /// HTTP requests.
    pub http: HttpLimits,
    /// What is written to files.
    pub files: FileLimits,
    /// Values of the tool's own.
    pub state: StateLimits,
}

/// Every limit: its name in `implementation.resources`, where it is, and how it is shown. The one list of them, so that none
/// is bounded in one place and forgotten in another.
macro_rules! for_each_limit {
    ($each:ident) => {
        $each!("fuel", fuel, count);
        $each!("timeout", timeout, time);
        $each!("memory", memory_bytes, bytes);
        $each!("output", output_bytes, bytes);
        $each!("input", input_bytes, bytes);
        $each!("instances", instances, count);
        $each!("handles", handles, count);
        $each!("copy", hostcall_bytes, bytes);
        $each!("random", random_bytes, bytes);
        $each!("log", log_lines, count);
        $each!("disk", files.bytes, bytes);
        $each!("files.created", files.created, count);
        $each!("files.path", files.path_bytes, bytes);
        $each!("files.listed", files.listed, count);
        $each!("http.requests", http.requests, count);
        $each!("http.concurrent", http.concurrent, count);
        $each!("http.request", http.request_bytes, bytes);
        $each!("http.response", http.response_bytes, bytes);
        $each!("http.headers", http.header_bytes, bytes);
        $each!("http.timeout", http.timeout, time);
        $each!("state.keys", state.keys, count);
        $each!("state.size", state.bytes, bytes);
        $each!("state.key", state.key_bytes, bytes);
    };
}

impl Limits {
    /// What a tool gets that asks for nothing.
    pub const DEFAULT: Self = Self {
        // About 5 to 10 seconds of computing on one core, so that fuel and not the clock ends a runaway loop on a
        // loaded machine. A Python start-up takes about 0.1 G.
        fuel: 10_000_000_000,
        // Agents wait for the answer; the original system's tools ask for 5 to 30 seconds.
        timeout: Duration::from_secs(30),
        // An interpreter with its standard library needs 40 to 60 MiB; the original's default for a script was more
        // than any of its tools used.
        memory_bytes: 256 << 20,
        // An agent reads the result: a megabyte is already more than a model's context.
        output_bytes: 1 << 20,
        // Linux refuses a single argument of 128 KiB; in a sandbox nothing does, so this is about memory alone.
        input_bytes: 1 << 20,
        // A componentized interpreter uses 3 to 20 core instances; wasmtime's own default of 10,000 lets a guest
        // multiply every per-memory cost by as much.
        instances: 64,
        // wasmtime's default is 1,000,000, about 100 MB of host memory (CVE-2026-119134 is the unbounded case).
        handles: 1024,
        // wasmtime's default is 128 MiB a host call (GHSA-852m is the unbounded case).
        hostcall_bytes: 16 << 20,
        // wasmtime's default is 64 MiB for each request of any number; a key needs 32 bytes.
        random_bytes: 1 << 20,
        // An agent that reads more than a screenful of what a tool says has a tool that says too much.
        log_lines: 1000,
        http: HttpLimits::DEFAULT,
        files: FileLimits::DEFAULT,
        state: StateLimits::DEFAULT,
    };

    /// The most that an operator's defaults let a manifest ask for.
    pub const CEILING: Self = Self {
        fuel: 1_000_000_000_000,
        timeout: Duration::from_hours(1),
        memory_bytes: 4 << 30,
        output_bytes: 64 << 20,
        input_bytes: 64 << 20,
        instances: 64,
        handles: 100_000,
        hostcall_bytes: 128 << 20,
        random_bytes: 1 << 30,
        log_lines: 100_000,
        http: HttpLimits::CEILING,
        files: FileLimits::CEILING,
        state: StateLimits::CEILING,
    };

    /// The limits of a tool: the defaults, changed by what its manifest asks for, up to `ceiling`.
    pub fn of_tool(ceiling: &Self, defaults: &Self, manifest: &Overrides) -> Result<Self, LimitError> {
        // An operator's ceiling holds for tools that ask for nothing as well.
        let mut limits = defaults.clone().at_most(ceiling);
        manifest.apply(&mut limits, ceiling, LimitSource::Manifest)?;
        Ok(limits)
    }

    /// The limits of one call of a tool. A caller cannot raise a limit: the manifest is where a tool says what it needs.
    pub fn lowered(&self, call: &Overrides) -> Result<Cow<'_, Self>, LimitError> {
        if *call == Overrides::default() {
            return Ok(Cow::Borrowed(self));
        }
        let mut limits = self.clone();
        call.apply(&mut limits, self, LimitSource::Call)?;
        Ok(Cow::Owned(limits))
    }

    fn at_most(mut self, ceiling: &Self) -> Self {
        macro_rules! lower {
            ($name:literal, $($field:ident).+, $show:ident) => {
                self.$($field).+ = self.$($field).+.min(ceiling.$($field).+);
            };
        }
        for_each_limit!(lower);
        self
    }

    /// Puts every limit on a fresh store. The only place where limits meet wasmtime.
    pub(crate) fn apply(&self, store: &mut Store<Guest>, contract: Contract, started: Instant) -> wasmtime::Result<()> {
        store.limiter(|guest| &mut guest.limiter);
        store.set_fuel(self.fuel)?;
        store.set_hostcall_fuel(match contract {
            // The result is one string, copied in one go before its size is known to us. It cannot be larger than the
            // guest's memory, so that bounds the copy.
            Contract::Tool => self.hostcall_bytes.max(usize::try_from(self.memory_bytes).unwrap_or(usize::MAX)),
            // wasmtime's dynamic values take up to 40 bytes on the host for one of the guest.
            Contract::Command | Contract::Functions => self.hostcall_bytes,
        });
        store.data_mut().table.set_max_capacity(self.handles);
        // Handles of the guest's own resources live on the host as well, and no function of ours hears of them.
        store.set_max_component_handles(self.handles);

        // The epoch is shared by all calls; the deadline is this store's own, so one call's end never touches another.
        // Yielding at every tick lets the executor run its other tasks, and lets a dropped call really stop.
        let deadline = started + self.timeout;
        let timeout = self.timeout;
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            if Instant::now() >= deadline {
                return Err(DeadlineExceeded { timeout }.into());
            }
            Ok(UpdateDeadline::Yield(1))
        });
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits that a manifest or a caller sets; the rest stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// See [`Limits::fuel`].
    pub fuel: Option<u64>,
    /// See [`Limits::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Limits::memory_bytes`].
    pub memory_bytes: Option<u64>,
    /// See [`Limits::output_bytes`].
    pub output_bytes: Option<usize>,
    /// See [`Limits::input_bytes`].
    pub input_bytes: Option<usize>,
    /// See [`Limits::instances`].
    pub instances: Option<usize>,
    /// See [`Limits::handles`].
    pub handles: Option<usize>,
    /// See [`Limits::hostcall_bytes`].
    pub hostcall_bytes: Option<usize>,
    /// See [`Limits::random_bytes`].
    pub random_bytes: Option<u64>,
    /// See [`Limits::log_lines`].
    pub log_lines: Option<usize>,
    /// See [`Limits::http`].
    pub http: HttpOverrides,
    /// See [`Limits::files`].
    pub files: FileOverrides,
    /// See [`Limits::state`].
    pub state: StateOverrides,
}

impl Overrides {
    /// The name of the limit that was set here and that a failure tells of.
    pub fn limit_of(&self, ending: Ending, failure: &Failure) -> Option<String> {
        let reached = match ending {
            Ending::OutOfFuel => "fuel",
            Ending::DeadlineExceeded => "timeout",
            Ending::MemoryExceeded => "memory",
            Ending::OutputExceeded => "output",
            _ => failure.details.as_ref()?["limit"].as_str()?,
        };
        macro_rules! find {
            ($name:literal, $($field:ident).+, $show:ident) => {
                if $name == reached {
                    return self.$($field).+.map(|_| reached.to_owned());
                }
            };
        }
        for_each_limit!(find);
        None
    }

    /// Sets these limits, whatever they were: the operator's own word.
    pub fn set(&self, limits: &mut Limits) {
        macro_rules! set {
            ($name:literal, $($field:ident).+, $show:ident) => {
                limits.$($field).+ = self.$($field).+.unwrap_or(limits.$($field).+);
            };
        }
        for_each_limit!(set);
    }

    fn apply(&self, limits: &mut Limits, most: &Limits, source: LimitSource) -> Result<(), LimitError> {
        macro_rules! apply {
            ($name:literal, $($field:ident).+, $show:ident) => {
                set($name, self.$($field).+, &mut limits.$($field).+, &most.$($field).+, source, $show)?;
            };
        }
        for_each_limit!(apply);
        Ok(())
    }
}

fn count<T: Display>(count: &T) -> String {
    count.to_string()
}

fn bytes<T: Display>(bytes: &T) -> String {
    format!("{bytes} bytes")
}

fn time(time: &Duration) -> String {
    format!("{time:?}")
}

fn set<T: Ord + Copy>(
    name: &'static str,
    asked: Option<T>,
    limit: &mut T,
    most: &T,
    source: LimitSource,
    show: impl Fn(&T) -> String,
) -> Result<(), LimitError> {
    let Some(asked) = asked else { return Ok(()) };
    if asked > *most {
        return Err(LimitError { name, asked: show(&asked), most: show(most), asker: source });
    }
    *limit = asked;
    Ok(())
}

/// A limit was reached that is not one of those with an ending of their own. `name` is the one in
/// `implementation.resources`.
pub(crate) fn limit_reached(name: &str, message: &str) -> Failure {
    Failure {
        details: Some(serde_json::json!({ "limit": name })),
        ..Failure::new(Ending::LimitExceeded.as_str(), message)
            .with_hint(format!("raise `implementation.resources.{name}` in the manifest"))
    }
}

/// Who asked for a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// `implementation.resources` in the tool's manifest.
    Manifest,
    /// The caller, for one call.
    Call,
}

/// A limit was asked for that is above what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} asks for a {name} of {asked}, above the {} of {most}", self.who(), self.bound())]
pub struct LimitError {
    /// The limit's name, as in `implementation.resources`.
    pub name: &'static str,
    asked: String,
    most: String,
    asker: LimitSource,
}

impl LimitError {
    fn who(&self) -> &'static str {
        match self.asker {
            LimitSource::Manifest => "manifest",
            LimitSource::Call => "call",
        }
    }

    fn bound(&self) -> &'static str {
        match self.asker {
            LimitSource::Manifest => "operator's ceiling",
            LimitSource::Call => "tool's own limit",
        }
    }

    /// Who asked.
    pub fn asker(&self) -> LimitSource {
        self.asker
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self.asker {
            LimitSource::Manifest => format!("lower `implementation.resources.{}` in the manifest", self.name),
            LimitSource::Call => {
                format!("a call may only lower a limit; raise `implementation.resources.{}` in the manifest", self.name)
            }
        }
    }
}

/// The error by which a guest is stopped whose time is over.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("still running after {timeout:?}")]
pub(crate) struct DeadlineExceeded {
    pub(crate) timeout: Duration,
}

/// The error by which a guest is stopped that reaches a limit without an ending of its own, where the host call that it made
/// has no way to say so.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct LimitReached {
    pub(crate) name: &'static str,
    pub(crate) message: String,
}

/// The error by which a guest is stopped that asks for more than its share of memory, tables or instances.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("asked for {wanted_bytes} bytes of memory and tables in all, the limit is {limit_bytes}")]
pub(crate) struct MemoryExceeded {
    pub(crate) wanted_bytes: u64,
    pub(crate) limit_bytes: u64,
}

/// Bounds memory and tables over *all* linear memories of a store. wasmtime's `StoreLimits` bounds each memory by
/// itself, so a component with N memories gets N times as much.
///
/// A refusal ends the call instead of answering -1 to `memory.grow`: a guest that hits a limit ends with that limit's
/// name, and is not left to fail later in a way that cannot be told from a bug.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit_bytes: u64,
    instances: usize,
    used_bytes: u64,
}

/// What a table's element costs on the host: a pointer.
const TABLE_ELEMENT_BYTES: u64 = 8;

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit_bytes: limits.memory_bytes, instances: limits.instances, used_bytes: 0 }
    }

    /// The sum of all memories and tables. Neither can shrink, so this is the peak as well.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    fn grow(&mut self, more_bytes: u64) -> wasmtime::Result<bool> {
        let wanted_bytes = self.used_bytes.saturating_add(more_bytes);
        if wanted_bytes > self.limit_bytes {
            return Err(MemoryExceeded { wanted_bytes, limit_bytes: self.limit_bytes }.into());
        }
        self.used_bytes = wanted_bytes;
        Ok(true)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Growth past the memory's own declared maximum fails by itself, as the specification has it.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow((desired - current) as u64)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(((desired - current) as u64).saturating_mul(TABLE_ELEMENT_BYTES))
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wasmtime::ResourceLimiter;

    use super::{Limiter, Limits, Overrides};

    #[test]
    fn a_call_lowers_a_limit_and_cannot_raise_it() {
        let manifest = Overrides { fuel: Some(1000), ..Overrides::default() };
        let lower = Overrides { fuel: Some(999), ..Overrides::default() };
        let tool = Limits::of_tool(&Limits::CEILING, &Limits::DEFAULT, &manifest).unwrap();
        assert_eq!(tool.lowered(&lower).unwrap().fuel, 999);
        let higher = Overrides { fuel: Some(1001), ..Overrides::default() };
        let error = tool.lowered(&higher).unwrap_err();
        assert_eq!(error.to_string(), "the call asks for a fuel of 1001, above the tool's own limit of 1000");
    }

    #[test]
    fn a_manifest_raises_a_default_up_to_the_ceiling() {
        let ask = |timeout| Overrides { timeout: Some(Duration::from_secs(timeout)), ..Overrides::default() };
        let of_tool = |asked: &Overrides| Limits::of_tool(&Limits::CEILING, &Limits::DEFAULT, asked);
        assert_eq!(of_tool(&ask(3600)).unwrap().timeout.as_secs(), 3600);
        assert!(of_tool(&ask(3601)).is_err());
    }

    #[test]
    fn memory_is_summed_over_all_memories_and_tables() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: 100, ..Limits::DEFAULT });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 32, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.used_bytes(), 100);
        assert!(limiter.table_growing(1, 2, None).is_err());
        assert!(!limiter.memory_growing(60, 70, Some(65)).unwrap(), "beyond the memory's own maximum");
    }
}
