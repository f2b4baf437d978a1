//! Compiled code on disk: the only way a component is loaded, and the only `unsafe` code of the crate.
//!
//! The threat: loading compiled code runs it outside of the sandbox, so a `.cwasm` file is trusted like this program.
//! It has to be this user's, unaltered, and made by this engine:
//!
//! - `compiled/<engine>/<component digest>.json` says which code belongs to a component, and its digest;
//! - `compiled/<engine>/<code digest>.cwasm` is the code. Both are written to a temporary name, synced and renamed, the
//!   code first, so that a crash leaves at worst code that nothing refers to;
//! - the directories are the owner's alone, and a file that somebody else owns or may write is not loaded;
//! - the code's digest is checked before every load. A file that fails is compiled anew, never run;
//! - `compiled/<engine>/functions.cache` holds functions that large components share, under the same rules;
//! - `<engine>` is the engine's own hash of everything that compiled code depends on.
//!
//! Concurrent first loads compile once: in this process a lock per component, between processes a file lock.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::component::Component as Compiled;

use crate::compiler::{self, CompileLimits, CompilerProgram};
use crate::component::Component;
use crate::engine::{ENGINE_VERSION, Sandbox, SandboxError};
use crate::functions::LARGE_COMPONENT_BYTES;

/// How much compiled code is kept. A Python tool takes 30 to 50 MB, a Rust tool under 1 MB.
pub const DEFAULT_CACHE_BYTES: u64 = 2 << 30;

/// An entry that was used since is not touched again: recency only has to be good enough to choose what to drop.
const TOUCH_INTERVAL: Duration = Duration::from_hours(1);

/// A file without an entry that is younger than this may be a compilation under way in another process.
const STALE: Duration = Duration::from_hours(1);

/// The file of functions that large components share.
const FUNCTIONS: &str = "functions.cache";

/// A record is a line of JSON; more is none of ours.
const RECORD_BYTES: u64 = 4096;

/// Why a component could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The component cannot be compiled or linked.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The cache directory cannot be used.
    #[error("the cache at `{}` cannot be used", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
}

/// `sha256:` and the digest of some bytes, in hexadecimal. The name of a component everywhere.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// What is known of a compiled component besides its code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    /// Whose code it is, so that a record that was copied to another name is not believed.
    component: String,
    code_sha256: String,
    code_bytes: u64,
}

/// One compiled component on disk.
#[derive(Clone, Debug, Serialize)]
pub struct CacheEntry {
    /// The component's digest.
    pub component: String,
    /// The size of its compiled code.
    pub bytes: u64,
    /// Whether this engine can use it.
    pub current: bool,
    #[serde(skip)]
    used: Option<SystemTime>,
    #[serde(skip)]
    files: Vec<PathBuf>,
}

impl CacheEntry {
    /// Reads a component's record.
    fn read(path: &Path, current: bool) -> Option<Self> {
        let component = path.file_name()?.to_str()?.strip_suffix(".json")?.replacen('-', ":", 1);
        let reference: Reference = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let code = path.with_file_name(format!("{}.cwasm", reference.code_sha256));
        Some(Self {
            component,
            bytes: reference.code_bytes,
            current,
            used: fs::metadata(path).and_then(|metadata| metadata.modified()).ok(),
            files: vec![path.to_owned(), code],
        })
    }
}

/// What the cache holds.
#[derive(Clone, Debug, Serialize)]
pub struct CacheUsage {
    /// Where it is.
    pub path: PathBuf,
    /// The sum of all entries' sizes.
    pub bytes: u64,
    /// The size above which the entries used longest ago are dropped.
    pub limit_bytes: u64,
    /// Every entry, the one used last first.
    pub entries: Vec<CacheEntry>,
}

/// The cache of compiled code under one directory.
#[derive(Debug)]
pub struct CompiledCache {
    root: PathBuf,
    engine: PathBuf,
    limit_bytes: u64,
    compile_limits: CompileLimits,
    compiler: Option<CompilerProgram>,
    in_flight: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl CompiledCache {
    /// Opens the cache at `root`, which is created when something is first written.
    pub fn new(sandbox: &Sandbox, root: impl Into<PathBuf>, limit_bytes: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        sandbox.engine.precompile_compatibility_hash().hash(&mut hasher);
        let root = root.into();
        let engine = root.join(format!("{ENGINE_VERSION}-{:016x}", hasher.finish()));
        let compile_limits = CompileLimits::default();
        Self { root, engine, limit_bytes, compile_limits, compiler: None, in_flight: Mutex::default() }
    }

    /// Bounds what compiling uses. Time and memory are those of `compiler`, which compiles what is not trusted; without
    /// one this process does.
    #[must_use]
    pub fn compiling_with(self, compile_limits: CompileLimits, compiler: Option<CompilerProgram>) -> Self {
        Self { compile_limits, compiler, ..self }
    }

    /// Loads the component with this digest, compiling it when no sound code is there. `wasm` is only called to
    /// compile. Returns whether the code came from the cache.
    ///
    /// Blocks: compiling takes from 50 ms to seconds.
    pub fn load(
        &self,
        sandbox: &Sandbox,
        component: &str,
        wasm: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<(Component, bool), CacheError> {
        self.load_with(sandbox, component, None, wasm)
    }

    /// The same for a component of somebody else: compiled in a process of its own, if there is a program for that.
    pub fn load_foreign(
        &self,
        sandbox: &Sandbox,
        component: &str,
        wasm: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<(Component, bool), CacheError> {
        self.load_with(sandbox, component, self.compiler.as_ref(), wasm)
    }

    fn load_with(
        &self,
        sandbox: &Sandbox,
        component: &str,
        compiler: Option<&CompilerProgram>,
        wasm: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<(Component, bool), CacheError> {
        if let Some(compiled) = self.read(sandbox, component) {
            return Ok((Component::new(sandbox, &compiled)?, true));
        }
        let flight = Arc::clone(self.flights().entry(component.to_owned()).or_default());
        let loaded = {
            let _only_one = flight.lock().unwrap_or_else(PoisonError::into_inner);
            self.compile_and_load(sandbox, component, compiler, wasm)
        };
        self.flights().remove(component);
        loaded
    }

    fn flights(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Mutex<()>>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compile_and_load(
        &self,
        sandbox: &Sandbox,
        component: &str,
        compiler: Option<&CompilerProgram>,
        wasm: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<(Component, bool), CacheError> {
        let io_error = |source| CacheError::Io { path: self.root.clone(), source };
        create_private_dir(&self.engine).map_err(io_error)?;
        let lock = fs::File::create(self.file(component, "lock")).map_err(io_error)?;
        lock.file().lock().map_err(io_error)?;
        // Somebody else may have compiled it while this call waited.
        if let Some(compiled) = self.read(sandbox, component) {
            return Ok((Component::new(sandbox, &compiled)?, true));
        }
        let bytes = wasm().map_err(io_error)?;
        compiler::check(&bytes, &self.compile_limits)?;
        let code = match compiler {
            Some(compiler) => compiler::compile_apart(compiler, &bytes, &self.compile_limits)?,
            None if bytes.len() < LARGE_COMPONENT_BYTES => compiler::compile_here(&sandbox.engine, &bytes)?,
            None => compiler::compile_with_functions(&bytes, &self.engine.join(FUNCTIONS))?,
        };
        self.write(component, &code).map_err(io_error)?;
        // Nobody waits for a lock file that is gone: whoever holds the old one finds the entry written.
        let _ = fs::remove_file(self.file(component, "lock"));
        let loaded = self.read(sandbox, component);
        self.prune(self.limit_bytes).map_err(io_error)?;
        let unreadable = || io_error(io::Error::other("compiled code could not be read back"));
        Ok((Component::new(sandbox, &loaded.ok_or_else(unreadable)?)?, false))
    }

    /// Loads what is there and sound. Anything else counts as absent: it is compiled anew and replaced.
    fn read(&self, sandbox: &Sandbox, component: &str) -> Option<Compiled> {
        let path = self.file(component, "json");
        let mut record = Vec::new();
        let file = open_file(&path)?;
        if !is_private(&file) {
            return None;
        }
        file.take(RECORD_BYTES).read_to_end(&mut record).ok()?;
        let reference: Reference = serde_json::from_slice(&record).ok()?;
        if reference.component != component || !is_sha256(&reference.code_sha256) {
            return None;
        }
        let code = self.engine.join(format!("{}.cwasm", reference.code_sha256));
        let file = open_file(&code)?;
        if !is_private(&file) || file.metadata().ok()?.len() != reference.code_bytes {
            return None;
        }
        if sha256_of(file).ok()? != reference.code_sha256 {
            return None;
        }
        touch(&path);
        deserialize(sandbox, &code).ok()
    }

    fn write(&self, component: &str, code: &[u8]) -> io::Result<()> {
        let code_sha256 = format!("{:x}", Sha256::digest(code));
        write_atomically(&self.engine.join(format!("{code_sha256}.cwasm")), code)?;
        let reference = Reference { component: component.to_owned(), code_sha256, code_bytes: code.len() as u64 };
        write_atomically(&self.file(component, "json"), &serde_json::to_vec(&reference)?)
    }

    fn file(&self, component: &str, extension: &str) -> PathBuf {
        self.engine.join(format!("{}.{extension}", component.replace(':', "-")))
    }

    /// What the cache holds, for all engines.
    pub fn usage(&self) -> io::Result<CacheUsage> {
        let mut entries = Vec::new();
        for engine in read_dir_or_empty(&self.root)? {
            for path in read_dir_or_empty(&engine)? {
                entries.extend(CacheEntry::read(&path, engine == self.engine));
            }
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        let bytes = entries.iter().map(|entry| entry.bytes).sum();
        Ok(CacheUsage { path: self.root.clone(), bytes, limit_bytes: self.limit_bytes, entries })
    }

    /// Drops the entries used longest ago until at most `keep_bytes` are left, and what a crash left behind: files that
    /// belong to no entry and are older than any compilation takes. Returns the bytes freed.
    pub fn prune(&self, keep_bytes: u64) -> io::Result<u64> {
        let usage = self.usage()?;
        let mut kept_bytes = 0;
        let mut files: HashMap<PathBuf, bool> = HashMap::new();
        for entry in usage.entries {
            let keep = kept_bytes + entry.bytes <= keep_bytes;
            kept_bytes += if keep { entry.bytes } else { 0 };
            // Two components with equal code share a file; it goes with the last of them.
            for file in entry.files {
                *files.entry(file).or_default() |= keep;
            }
        }
        // The functions save time while large components are compiled, which code that is there already needs no more.
        let functions = self.engine.join(FUNCTIONS);
        let functions_bytes = fs::metadata(&functions).map_or(0, |metadata| metadata.len());
        files.insert(functions, kept_bytes + functions_bytes <= keep_bytes);
        let mut freed_bytes = 0;
        for engine in read_dir_or_empty(&self.root)? {
            for path in read_dir_or_empty(&engine)? {
                let keep = files.get(&path).copied().unwrap_or_else(|| age(&path).is_none_or(|age| age < STALE));
                if !keep {
                    freed_bytes += fs::metadata(&path).map_or(0, |metadata| metadata.len());
                    fs::remove_file(&path)?;
                }
            }
            // Fails when something is left, which is what decides.
            let _ = fs::remove_dir(&engine);
        }
        Ok(freed_bytes)
    }
}

#[expect(unsafe_code, reason = "wasmtime can only load compiled code unsafely; `read` above is the guard")]
fn deserialize(sandbox: &Sandbox, code: &Path) -> wasmtime::Result<Compiled> {
    // SAFETY: the file was written by `write` from wasmtime's own output: its digest, just checked, is the one that was
    // recorded then, it is owned by this user and writable by nobody else, and so is the record. It is never written in
    // place, so the mapping does not change.
    unsafe { Compiled::deserialize_file(&sandbox.engine, code) }
}

/// Opens a file, and nothing else: whoever opens a pipe waits for its writer.
pub(crate) fn open_file(path: &Path) -> Option<fs::File> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file { fs::File::open(path).ok() } else { None }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sha256_of(mut file: fs::File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether a file is this user's, and nobody else may write it.
#[cfg(unix)]
pub(crate) fn is_private(file: &fs::File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0)
}

#[cfg(not(unix))]
pub(crate) fn is_private(_: &fs::File) -> bool {
    true
}

fn touch(path: &Path) {
    if age(path).is_none_or(|age| age > TOUCH_INTERVAL) {
        // A cache on a read-only disk still serves; it only forgets what was used.
        let _ = fs::File::open(path).and_then(|file| file.file().set_modified(SystemTime::now()));
    }
}

/// Writes a file that is there whole or not at all, also after a power cut.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    fs::File::open(directory)?.file().sync_all()
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?.elapsed().ok()
}

fn read_dir_or_empty(path: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
