//! What a tool of each language costs: to build, to compile for this machine, and to call, the last against wasmtime alone
//! with the same component in the same run. Prints the table of `builders/README.md`.
//!
//! `cargo bench -p cortex-runtime --bench languages`. Toolchains are installed once below the target folder.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cortex_build::{Built, Silent, Workshop};
use cortex_manifest::ToolSpec;
use cortex_runtime::{CallOptions, Ending, Runtime, Settings};
use serde_json::Value;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

wasmtime::component::bindgen!({ path: "../../wit", world: "tool" });

/// The standard tool of each language, which answers the first example of its manifest.
const TOOLS: &[(&str, &str)] = &[
    ("Rust", "calculator"),
    ("Go", "hash"),
    ("JavaScript", "json_processor"),
    ("TypeScript, an npm package", "markdown_to_html"),
    ("Python", "text_stats"),
];

const ROUNDS: usize = 60;
const CALLS_A_ROUND: u32 = 50;

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// wasmtime and its WASI, with the pool tuned and fuel and epochs switched on, as any host needs them; nothing else.
struct Floor {
    engine: Engine,
    tool: ToolPre<Host>,
}

impl Floor {
    fn new(wasm: &[u8]) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.linear_memory_keep_resident(64 << 20)
            .table_keep_resident(64 << 10)
            .max_memory_size(256 << 20)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.consume_fuel(true).epoch_interruption(true).concurrency_support(false).allocation_strategy(pool);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        Ok(Self { tool: ToolPre::new(linker.instantiate_pre(&component)?)?, engine })
    }

    fn call(&self, input: &str) -> wasmtime::Result<String> {
        let host = Host { wasi: WasiCtxBuilder::new().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, host);
        store.set_fuel(10_000_000_000)?;
        store.set_epoch_deadline(u64::MAX / 2);
        let tool = self.tool.instantiate(&mut store)?;
        let answer = tool.cortex_tool_handler().call_invoke(&mut store, input)?;
        answer.map_err(|error| wasmtime::Error::msg(error.message))
    }
}

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut table = String::from(
        "| language | tool | build, first / again | component | compile | first call | warm call | wasmtime alone | ratio |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (language, name) in TOOLS {
        let row = measure(language, name, target)?;
        println!("{row}");
        writeln!(table, "{row}")?;
    }
    println!("\n{table}");
    Ok(())
}

fn measure(language: &str, name: &str, target: &Path) -> Result<String, Failed> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/tools");
    let folder = fs_err::canonicalize(tools.join(name))?;
    let manifest = folder.join("tool.yml");
    let spec = ToolSpec::parse(&manifest, &fs_err::read_to_string(&manifest)?)?;
    let example = spec.examples.first().ok_or("the tool has no example")?;
    // A component by itself knows nothing of the manifest's defaults.
    let example = Value::from(example.input.clone());
    let input = spec.input_schema().apply(&example)?.into_owned();
    let home = fresh_home(target)?;
    let (first, built) = build(&home, &spec, &folder)?;
    let (again, _) = build(&home, &spec, &folder)?;
    let wasm = built.component.read()?;

    // Beside its source, a component that is shipped would be used; here it is the one that was just built.
    let tool = home.join("tool.wasm");
    fs_err::write(&tool, &wasm)?;
    let reference = tool.to_str().ok_or("the folder's name is no text")?;
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    Runtime::new(Settings::new(&home))?.build(reference, false, &Silent)?;
    let compile = started.elapsed();

    let runtime = Runtime::new(Settings::new(&home))?;
    let call = async || runtime.call(reference, black_box(&input), CallOptions::default()).await;
    let started = Instant::now();
    let answer = executor.block_on(call())?;
    let first_call = started.elapsed();
    assert_eq!(answer.ending, Ending::Success, "{answer:?}");

    let floor = Floor::new(&wasm)?;
    let text = input.to_string();
    assert_eq!(answer.result.as_ref().map(|result| result.get()), Some(floor.call(&text)?.as_str()));
    let (mut floors, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..CALLS_A_ROUND {
            let _ = black_box(floor.call(&text));
        }
        let floor_time = started.elapsed() / CALLS_A_ROUND;
        let our_time = executor.block_on(async {
            let started = Instant::now();
            for _ in 0..CALLS_A_ROUND {
                let _ = black_box(call().await);
            }
            started.elapsed() / CALLS_A_ROUND
        });
        ratios.push(our_time.as_secs_f64() / floor_time.as_secs_f64());
        floors.push(floor_time.as_secs_f64());
        ours.push(our_time.as_secs_f64());
    }
    let kilobytes = u32::try_from(wasm.len() / 1000)?;
    Ok(format!(
        "| {language} | `{name}` | {:.1} s / {:.1} s | {} | {} | {} | {:.0} µs | {:.0} µs | {:.2} |",
        first.as_secs_f64(),
        again.as_secs_f64(),
        if kilobytes < 1000 { format!("{kilobytes} KB") } else { format!("{:.1} MB", f64::from(kilobytes) / 1e3) },
        milliseconds(compile),
        milliseconds(first_call),
        median(ours) * 1e6,
        median(floors) * 1e6,
        median(ratios),
    ))
}

fn build(home: &Path, spec: &ToolSpec, folder: &Path) -> Result<(Duration, Built), Failed> {
    let started = Instant::now();
    let built = Workshop::new(home, false).build(spec, folder, "tool.yml", true, &Silent)?;
    Ok((started.elapsed(), built))
}

/// A home with nothing in it but the toolchains, which are installed before the clock starts.
fn fresh_home(target: &Path) -> Result<PathBuf, Failed> {
    let shared = target.join("languages");
    for kind in cortex_build::LANGUAGES {
        let wanted = !matches!(kind, cortex_build::BuilderKind::TinyGo | cortex_build::BuilderKind::SpiderMonkey);
        if wanted {
            cortex_build::Toolchains::new(&shared, false).install(*kind, &Silent)?;
        }
    }
    let home = target.join("figures");
    if home.exists() {
        fs_err::remove_dir_all(&home)?;
    }
    fs_err::create_dir_all(&home)?;
    std::os::unix::fs::symlink(shared.join("toolchains"), home.join("toolchains"))?;
    Ok(home)
}

fn milliseconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
