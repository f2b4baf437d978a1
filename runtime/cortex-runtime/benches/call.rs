//! What a call costs over wasmtime itself: the same component, the same input, in the same run.
//!
//! The floor is wasmtime with the tuned pool and with fuel and epochs switched on, as any host needs them, and nothing
//! else: no WASI, no limiter, no deadline, no validation, no record. `Runtime::call` has all of that.
//!
//! A whole process is compared in the same way: this program, called with `--bare`, does what a minimal wasmtime program
//! does (engine, compiled code, link, call, print); the other is `cortex-wasm run` of the same build.
//!
//! `cargo bench -p cortex-runtime` prints criterion's figures for both, and then the ratio, measured in alternating
//! rounds so that what else the machine does weighs on both.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench starts the program that it measures")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cortex_runtime::{CallOptions, Runtime, Settings};
use criterion::Criterion;
use serde_json::json;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Store};

wasmtime::component::bindgen!({ path: "../../wit", world: "tool" });

const INPUT: &str = r#"{"expression":"sqrt(16) + 3^2"}"#;
const CALCULATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/tools/calculator/calculator.wasm");
const ROUNDS: usize = 100;
const CALLS_A_ROUND: u32 = 500;
const PROCESSES: usize = 200;

/// wasmtime and nothing else.
struct Floor {
    engine: Engine,
    tool: ToolPre<()>,
}

impl Floor {
    fn new() -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.linear_memory_keep_resident(64 << 20)
            .table_keep_resident(64 << 10)
            .max_memory_size(256 << 20)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.consume_fuel(true).epoch_interruption(true).concurrency_support(false).allocation_strategy(pool);
        let engine = Engine::new(&config)?;
        let component = Component::from_file(&engine, CALCULATOR)?;
        let tool = ToolPre::new(Linker::new(&engine).instantiate_pre(&component)?)?;
        Ok(Self { engine, tool })
    }

    fn call(&self) -> wasmtime::Result<String> {
        let mut store = Store::new(&self.engine, ());
        store.set_fuel(10_000_000_000)?;
        store.set_epoch_deadline(u64::MAX / 2);
        let tool = self.tool.instantiate(&mut store)?;
        let answer = tool.cortex_tool_handler().call_invoke(&mut store, INPUT)?;
        answer.map_err(|error| wasmtime::Error::msg(error.message))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let [_, bare, code] = std::env::args().collect::<Vec<_>>().as_slice()
        && bare == "--bare"
    {
        return Ok(bare_process(code)?);
    }
    let floor = Floor::new()?;
    let home = tempfile::tempdir()?;
    let runtime = Runtime::new(Settings::new(home.path()))?;
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let input = json!({"expression": "sqrt(16) + 3^2"});
    let call = async || runtime.call("calculator", black_box(&input), CallOptions::default()).await;
    let answer = executor.block_on(call())?;
    assert_eq!(answer.result.as_ref().map(|result| result.get()), Some(floor.call()?.as_str()), "{answer:?}");

    let mut criterion = Criterion::default().configure_from_args().measurement_time(Duration::from_secs(3));
    criterion.bench_function("calculator/wasmtime", |bencher| bencher.iter(|| floor.call()));
    criterion.bench_function("calculator/runtime", |bencher| bencher.iter(|| executor.block_on(call())));

    let mut ratios = Vec::new();
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let floor_time = per_call(|| {
            let _ = black_box(floor.call());
        });
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
    let (floor, ours, ratio) = (median(floors) * 1e6, median(ours) * 1e6, median(ratios));
    println!("calculator: wasmtime {floor:.1} us, Runtime::call {ours:.1} us, ratio {ratio:.2}");
    drop(runtime);
    processes(&floor_code(home.path())?, home.path())?;
    Ok(())
}

fn bare_config() -> Config {
    let mut config = Config::new();
    config.consume_fuel(true).epoch_interruption(true).concurrency_support(false);
    config
}

/// Compiled code for the bare process.
fn floor_code(folder: &Path) -> wasmtime::Result<PathBuf> {
    let path = folder.join("calculator.cwasm");
    let code = Engine::new(&bare_config())?.precompile_component(&fs_err::read(CALCULATOR)?)?;
    fs_err::write(&path, code)?;
    Ok(path)
}

/// The least that a process can do for an answer.
#[expect(unsafe_code, reason = "what a minimal program does")]
fn bare_process(code: &str) -> wasmtime::Result<()> {
    let engine = Engine::new(&bare_config())?;
    // SAFETY: the file was written by `floor_code` of this very program a moment ago.
    let component = unsafe { Component::deserialize_file(&engine, code)? };
    let tool = ToolPre::new(Linker::new(&engine).instantiate_pre(&component)?)?;
    println!("{}", Floor { engine, tool }.call()?);
    Ok(())
}

/// Prints what a whole process costs, when the program was built with this profile as well.
fn processes(code: &Path, home: &Path) -> std::io::Result<()> {
    let this = std::env::current_exe()?;
    let Some(program) = this.ancestors().nth(2).map(|folder| folder.join("cortex-wasm")).filter(|path| path.exists())
    else {
        println!("process: no `cortex-wasm` of this profile; `cargo build --release` makes it");
        return Ok(());
    };
    let bare = || Command::new(&this).arg("--bare").arg(code).stdout(Stdio::null()).status();
    let whole = || {
        let run = ["run", "calculator", INPUT];
        Command::new(&program).args(run).env("CORTEX_HOME", home).current_dir(home).stdout(Stdio::null()).status()
    };
    let (mut bares, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..PROCESSES {
        let started = Instant::now();
        assert!(bare()?.success());
        bares.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        assert!(whole()?.success());
        wholes.push(started.elapsed().as_secs_f64());
    }
    let (bare, whole) = (median(bares) * 1e3, median(wholes) * 1e3);
    println!("process: bare wasmtime {bare:.2} ms, cortex-wasm run {whole:.2} ms, ratio {:.2}", whole / bare);
    Ok(())
}

fn per_call(call: impl Fn()) -> Duration {
    let started = Instant::now();
    for _ in 0..CALLS_A_ROUND {
        call();
    }
    started.elapsed() / CALLS_A_ROUND
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
