//! The wasmtime engine: one configuration, one linker, one epoch ticker.

use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, EngineWeak, PoolingAllocationConfig};

use crate::guest::Guest;
use crate::{files, logging, network, random, state};

/// The engine that compiles and runs components. Fuel is comparable only between equal versions.
pub const ENGINE_VERSION: &str = "wasmtime-48";

/// How often running guests look at their deadline. An overrun lasts at most this long; ticks cost nothing to idle
/// guests, and about 3 % to busy ones whatever the interval, since the check is in the compiled code.
const EPOCH_TICK: Duration = Duration::from_millis(10);

/// Where instances get their memory from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// Memory is mapped when an instance starts. For processes that make one call: measured 1.0 ms from nothing to an
    /// answer, against 4.2 ms with a pool of 1,000.
    OnDemand,
    /// Memory is reserved at start and reused: half the cost of a call. For processes that make many.
    Pooled {
        /// The most calls that run at the same time.
        calls: u32,
    },
}

/// Why a sandbox or a component could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This machine or configuration cannot run the engine.
    #[error("the WebAssembly engine does not start on this machine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bytes are not a valid component, or use a feature that is switched off.
    #[error("not a valid WebAssembly component")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A core module where a component is needed.
    #[error("a core WebAssembly module, not a component")]
    CoreModule,
    /// The component is larger than this crate compiles: compiling untrusted code is bounded by its size first.
    #[error("the component has {bytes} bytes: the limit `compile.size` is {limit_bytes}")]
    TooLarge {
        /// The component's size.
        bytes: u64,
        /// The largest size that is compiled.
        limit_bytes: u64,
    },
    /// Compiling the component used up its time or its memory.
    #[error("{problem}: the limit `{limit}`")]
    CompileLimit {
        /// The limit's name, as in the policy.
        limit: &'static str,
        /// What it was, and its value.
        problem: String,
    },
    /// The component imports what no tool is given.
    #[error("the component imports `{import}`, which this host does not provide")]
    Denied {
        /// The import's name.
        import: String,
    },
    /// The component does not link with the host, though every import's name is known.
    #[error("the component's imports do not match the host's interfaces")]
    Link(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// More functions than anybody would look through.
    #[error("the component exports {count} functions, the limit is {limit}")]
    TooManyFunctions {
        /// How many there are.
        count: usize,
        /// The most that there may be.
        limit: usize,
    },
    /// Nothing in the component can be called.
    #[error("the component exports neither `wasi:cli/run`, `cortex:tool/handler` nor a function that can be called")]
    NothingToCall,
}

impl SandboxError {
    /// The name of the limit that was reached, if it was one.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { .. } => Some("compile.size"),
            Self::CompileLimit { limit, .. } => Some(limit),
            _ => None,
        }
    }

    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::CoreModule => Some("make a component of it: `wasm-tools component new module.wasm`".into()),
            Self::Denied { .. } => Some(format!("this version provides {}", PROVIDED.join(", "))),
            Self::NothingToCall => Some("functions that take or return resources cannot be called with JSON".into()),
            Self::TooLarge { .. } => Some("raise `compile.size` in the policy".into()),
            Self::CompileLimit { limit, .. } => Some(format!("raise `{limit}` in the policy")),
            Self::Engine(_) | Self::Compile(_) | Self::TooManyFunctions { .. } | Self::Link(_) => None,
        }
    }
}

/// The packages that the host implements. What a guest may do with them is decided by its grants.
pub(crate) const PROVIDED: &[&str] = &[
    "cortex:tool/host@0.1",
    "wasi:cli@0.2",
    "wasi:clocks@0.2",
    "wasi:filesystem@0.2",
    "wasi:http@0.2",
    "wasi:io@0.2",
    "wasi:keyvalue@0.2.0-draft",
    "wasi:logging@0.1.0-draft",
    "wasi:random@0.2",
    "wasi:sockets@0.2",
];

/// An engine with its linker. Cheap to clone; make one for a process.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linker: std::sync::Arc<Linker<Guest>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts an engine and its epoch ticker, which ends when the last clone is dropped.
    pub fn new(allocation: Allocation) -> Result<Self, SandboxError> {
        let start = || -> wasmtime::Result<Self> {
            let engine = Engine::new(&config(allocation))?;
            let mut linker = Linker::new(&engine);
            wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
            wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
            linker.allow_shadowing(true);
            network::bound_requests(&mut linker)?;
            files::add_to_linker(&mut linker)?;
            random::add_to_linker(&mut linker)?;
            linker.allow_shadowing(false);
            state::add_to_linker(&mut linker)?;
            logging::add_to_linker(&mut linker)?;
            let ticker = engine.weak();
            std::thread::Builder::new().name("epoch".into()).spawn(move || tick(&ticker))?;
            Ok(Self { engine, linker: std::sync::Arc::new(linker) })
        };
        start().map_err(|error| SandboxError::Engine(error.into_boxed_dyn_error()))
    }
}

fn tick(engine: &EngineWeak) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        std::thread::sleep(EPOCH_TICK);
    }
}

/// The same for both allocations in everything that compiled code depends on, so that they share one cache.
pub(crate) fn config(allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        // Component-model concurrency costs 2.5 to 4 times a call and most advisories of autumn 2026 touch it.
        .concurrency_support(false)
        // Off at run time, compiled in: advisories GHSA-rc4p and GHSA-2674 hit builds without the cargo features.
        .gc_support(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_threads(false)
        .shared_memory(false)
        // Nothing that the supported toolchains emit needs these; each was part of an advisory or costs bounds checks.
        // Exceptions lost fuel in GHSA-m63x, and are on unless they are switched off.
        .wasm_exceptions(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        // Function names are enough in a trap's backtrace; addresses would make compiled code a quarter larger.
        .generate_address_map(false)
        .native_unwind_info(false);
    if let Allocation::Pooled { calls } = allocation {
        config.allocation_strategy(pool(calls));
    }
    config
}

/// The values that were measured to reach the floor (16 against 27 µs a call for Rust, 106 against 196 µs for JavaScript).
/// They trade resident memory, bounded by `max_unused_warm_slots`, for page faults.
fn pool(calls: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // A componentized tool has 1 to 4 core instances and tables (adapters and shims), and most have one memory.
    let parts = calls.saturating_mul(4);
    pool.total_component_instances(calls)
        .total_core_instances(parts)
        .total_tables(parts)
        .total_memories(calls.saturating_mul(2))
        .total_stacks(calls)
        .linear_memory_keep_resident(64 << 20)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .max_unused_warm_slots(100)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        // The aggregate limit is the limiter's; this only has to be no smaller than the ceiling.
        .max_memory_size(4 << 30)
        .table_elements(1 << 20)
        .pagemap_scan(Enabled::Auto);
    pool
}
