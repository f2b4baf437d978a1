//! Compiling, bounded by size, time and memory.
//!
//! The threat: a component made to be compiled, not to be run. wasmtime leaves it to the embedder to bound what that costs. A
//! component of somebody else is compiled by a process of its own, under limits that the operating system enforces; one that
//! was built here from source is compiled in this process, where only its size is bounded.
//!
//! The process is no border of trust. What it returns is run as code, as anything that the compiler makes of a component is.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use wasmtime::Engine;

use crate::engine::{Allocation, SandboxError, config};
use crate::functions::Functions;

/// What compiling one component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// The size of the component. The largest known one, a Python tool, has 20 MB.
    pub component_bytes: u64,
    /// Time, for a component of somebody else. That Python tool takes 17 seconds of one core.
    pub timeout: Duration,
    /// Memory, for a component of somebody else. That Python tool takes 360 MB.
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { component_bytes: 64 << 20, timeout: Duration::from_mins(5), memory_bytes: 2 << 30 }
    }
}

/// How to start a process that does [`compile_for_parent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProgram {
    /// The program, usually this one.
    pub program: PathBuf,
    /// Its arguments; the limits follow as two more: bytes of memory, and seconds.
    pub arguments: Vec<OsString>,
}

/// The most compiled code that is taken from a process, for each byte of the component. Cranelift makes about five.
const CODE_FACTOR: u64 = 64;

/// How a process ends whose component is not valid. Its standard output says why.
const INVALID: u8 = 3;

/// Looks at what costs nothing to look at.
pub(crate) fn check(wasm: &[u8], limits: &CompileLimits) -> Result<(), SandboxError> {
    let (bytes, limit_bytes) = (wasm.len() as u64, limits.component_bytes);
    if bytes > limit_bytes {
        return Err(SandboxError::TooLarge { bytes, limit_bytes });
    }
    // The preamble: magic, version, layer. Layer 0 is a core module.
    if wasm.starts_with(b"\0asm\x01\0\0\0") {
        return Err(SandboxError::CoreModule);
    }
    Ok(())
}

/// Compiles in this process.
pub(crate) fn compile_here(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, SandboxError> {
    engine.precompile_component(wasm).map_err(|error| SandboxError::Compile(error.into_boxed_dyn_error()))
}

/// The same for a large component, with the functions that are known from others.
pub(crate) fn compile_with_functions(wasm: &[u8], path: &Path) -> Result<Vec<u8>, SandboxError> {
    let functions = Arc::new(Functions::read(path));
    let engine = || -> wasmtime::Result<Engine> {
        let mut config = config(Allocation::OnDemand);
        config.enable_incremental_compilation(Arc::<Functions>::clone(&functions))?;
        Engine::new(&config)
    };
    let engine = engine().map_err(|error| SandboxError::Engine(error.into_boxed_dyn_error()))?;
    let code = compile_here(&engine, wasm)?;
    // What could not be kept is compiled again.
    let _ = functions.write(path);
    Ok(code)
}

/// Compiles in a process of its own.
pub(crate) fn compile_apart(
    compiler: &CompilerProgram,
    wasm: &[u8],
    limits: &CompileLimits,
) -> Result<Vec<u8>, SandboxError> {
    let (code, status) = run(compiler, wasm, limits).map_err(|error| SandboxError::Compile(error.into()))?;
    match status {
        None => Err(SandboxError::CompileLimit {
            limit: "compile.time",
            problem: format!("compiling the component took more than {:?}", limits.timeout),
        }),
        Some(status) if status.success() => Ok(code),
        Some(status) if status.code() == Some(INVALID.into()) => {
            Err(SandboxError::Compile(String::from_utf8_lossy(&code).into_owned().into()))
        }
        // An allocation that fails ends the process, and so does the system when it has no memory left.
        Some(status) => Err(SandboxError::CompileLimit {
            limit: "compile.memory",
            problem: format!(
                "compiling the component ended with {status}, under {} bytes of memory",
                limits.memory_bytes
            ),
        }),
    }
}

/// What the process wrote and how it ended; `None` if its time was over.
fn run(compiler: &CompilerProgram, wasm: &[u8], limits: &CompileLimits) -> io::Result<(Vec<u8>, Option<ExitStatus>)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this crate that starts a program, without variables"
    )]
    let mut command = Command::new(&compiler.program);
    command
        .args(&compiler.arguments)
        .arg(limits.memory_bytes.to_string())
        .arg(limits.timeout.as_secs().max(1).to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    let (cancel, timer) = mpsc::channel::<()>();
    let (pid, timeout) = (child.id(), limits.timeout);
    let watchdog = std::thread::spawn(move || {
        let over = timer.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Timeout);
        if over {
            kill(pid);
        }
        over
    });
    // It reads all before it writes anything, so neither waits for the other. One that has ended reads no more, and its
    // status says why.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(wasm));
    let mut code = Vec::new();
    let most = (wasm.len() as u64).saturating_mul(CODE_FACTOR).max(1 << 20);
    let read = child.stdout.take().map_or(Ok(0), |stdout| stdout.take(most).read_to_end(&mut code));
    let status = child.wait();
    drop(cancel);
    let over = watchdog.join().unwrap_or(false);
    read?;
    Ok((code, Some(status?).filter(|_| !over)))
}

#[cfg(unix)]
fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended at this very moment, which is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(_: u32) {}

/// What a [`CompilerProgram`] does: compiles the component on standard input and writes the code to standard output, with
/// `memory_bytes` and `seconds` as the most that it takes. Returns its exit code.
pub fn compile_for_parent(memory_bytes: u64, seconds: u64) -> u8 {
    let compiled = || -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        bound(memory_bytes, seconds)?;
        let mut wasm = Vec::new();
        io::stdin().lock().read_to_end(&mut wasm)?;
        let engine = Engine::new(&config(Allocation::OnDemand)).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        compile_here(&engine, &wasm).map_err(|error| match error {
            SandboxError::Compile(source) => source,
            error => error.into(),
        })
    };
    let (output, code) = match compiled() {
        Ok(code) => (code, 0),
        Err(error) => (chain(&*error).into_bytes(), INVALID),
    };
    // A parent that is gone needs no answer.
    let _ = io::stdout().lock().write_all(&output);
    code
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Bounds this process. The data it may hold is what counts as memory: address space is also what was only reserved, of which
/// the allocator takes 64 MB for each thread. It needs no file, and leaves no core dump.
#[cfg(unix)]
fn bound(memory_bytes: u64, seconds: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // As many as there are processors use the time together; the parent's clock is the nearer limit.
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    for (resource, most) in [
        (Resource::Data, memory_bytes),
        (Resource::Cpu, seconds.saturating_mul(processors)),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn bound(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}
