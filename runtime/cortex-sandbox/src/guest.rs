//! The host's side of one call: what the guest was granted, and the state behind its WASI imports.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::limits::{Limiter, Limits};
use crate::output::{BoundedOutput, Overflow};

/// What a guest may reach. [`Grants::none`] is the default and means:
///
/// - no file and no directory;
/// - no network: no sockets, no name lookup, no HTTP;
/// - no environment variable;
/// - standard input is empty, standard output and standard error go into the outcome;
/// - clocks and randomness are the host's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Environment variables, by name and value. Nothing comes from the host's own environment.
    pub environment: Vec<(String, String)>,
}

impl Grants {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }
}

/// The data of a store. One for every call.
pub(crate) struct Guest {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) stdout: BoundedOutput,
    pub(crate) stderr: BoundedOutput,
}

impl Guest {
    /// A guest whose standard output is a log: the result comes back as a value.
    pub(crate) fn reactor(limits: &Limits, grants: &Grants) -> Self {
        Self::new(limits, grants, Overflow::Truncate, |_| {})
    }

    /// A guest that is a program: `input` is its first argument and its standard input, the result is its output.
    pub(crate) fn command(limits: &Limits, grants: &Grants, name: &str, input: &str) -> Self {
        Self::new(limits, grants, Overflow::Stop, |wasi| {
            wasi.args(&[name, input]).stdin(MemoryInputPipe::new(input.to_owned()));
        })
    }

    fn new(
        limits: &Limits,
        grants: &Grants,
        stdout_overflow: Overflow,
        configure: impl FnOnce(&mut wasmtime_wasi::WasiCtxBuilder),
    ) -> Self {
        let stdout = BoundedOutput::new(limits.output_bytes, stdout_overflow);
        let stderr = BoundedOutput::new(limits.output_bytes, Overflow::Truncate);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(limits.random_bytes)
            .envs(&grants.environment);
        configure(&mut wasi);
        Self { wasi: wasi.build(), table: ResourceTable::new(), limiter: Limiter::new(limits), stdout, stderr }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
