//! The host's side of one call: what the guest was granted, and the state behind its WASI imports.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::deterministic::virtualise;
use crate::ending::{Captured, Decision};
use crate::limits::{Limiter, Limits};
use crate::network::{Account, HttpLimits, Network, NetworkRule};
use crate::output::{BoundedOutput, Overflow};
use crate::secret::{Secret, SecretPlace};

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
    /// Servers that HTTP requests may go to, as far as the operator's own rules agree.
    pub network: Vec<NetworkRule>,
    /// What the operator says to that.
    pub operator: OperatorRules,
    /// What requests carry, and what must not come back.
    pub secrets: Vec<Secret>,
    /// What was asked for and not granted, for the record.
    pub refused: Vec<Refusal>,
}

/// The operator's rules for HTTP requests. The default leaves it to what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorRules {
    /// A request must be covered by one of these as well; `None` if asking is granting.
    pub granted: Option<Vec<NetworkRule>>,
    /// No request may be covered by one of these.
    pub denied: Vec<NetworkRule>,
    /// The tool as the operator's file names it, for messages.
    pub tool: String,
}

/// Something that a tool asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the record says.
    pub decision: Decision,
    /// What would allow it.
    pub hint: String,
}

impl Grants {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }
}

/// The data of a store. One for every call.
///
/// What stands behind the guest's WASI imports is made when the guest first uses one: a tool that computes and nothing
/// else, which is the fastest kind, never pays for it.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    grants: Arc<Grants>,
    program: Option<Program>,
    output_bytes: usize,
    random_bytes: u64,
    seed: Option<u64>,
    http: HttpLimits,
    wasi: Option<Wasi>,
    network: Option<Box<Network>>,
}

/// What a program is told at its start: its name, and its input as first argument and standard input.
struct Program {
    name: String,
    input: String,
}

struct Wasi {
    ctx: WasiCtx,
    stdout: BoundedOutput,
    stderr: BoundedOutput,
}

impl Guest {
    /// A guest whose standard output is a log: the result comes back as a value.
    pub(crate) fn reactor(limits: &Limits, grants: &Arc<Grants>, seed: Option<u64>) -> Self {
        Self::new(limits, grants, seed, None)
    }

    /// A guest that is a program: `input` is its first argument and its standard input, the result is its output.
    pub(crate) fn command(limits: &Limits, grants: &Arc<Grants>, seed: Option<u64>, name: &str, input: &str) -> Self {
        Self::new(limits, grants, seed, Some(Program { name: name.to_owned(), input: input.to_owned() }))
    }

    fn new(limits: &Limits, grants: &Arc<Grants>, seed: Option<u64>, program: Option<Program>) -> Self {
        Self {
            table: ResourceTable::new(),
            limiter: Limiter::new(limits),
            grants: Arc::clone(grants),
            program,
            output_bytes: limits.output_bytes,
            random_bytes: limits.random_bytes,
            seed,
            http: limits.http,
            wasi: None,
            network: None,
        }
    }

    /// What the guest wrote to standard output and standard error.
    pub(crate) fn output(&self) -> (Captured, Captured) {
        self.wasi.as_ref().map_or_else(Default::default, |wasi| (wasi.stdout.take(), wasi.stderr.take()))
    }

    /// Whether what the guest wrote to standard output is UTF-8.
    pub(crate) fn wrote_text(&self) -> bool {
        self.wasi.as_ref().is_none_or(|wasi| wasi.stdout.is_text())
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What the guest's HTTP requests were.
    pub(crate) fn account(&self) -> Account {
        self.network.as_ref().map_or_else(Account::default, |network| network.account())
    }
}

impl Wasi {
    fn new(
        grants: &Grants,
        program: Option<Program>,
        output_bytes: usize,
        random_bytes: u64,
        seed: Option<u64>,
    ) -> Self {
        // A program's output is its result, which must not be cut; any other guest's output is a log.
        let overflow = if program.is_some() { Overflow::Stop } else { Overflow::Truncate };
        let stdout = BoundedOutput::new(output_bytes, overflow);
        let stderr = BoundedOutput::new(output_bytes, Overflow::Truncate);
        let mut ctx = WasiCtx::builder();
        ctx.stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(random_bytes)
            .envs(&grants.environment);
        for secret in grants.secrets.iter().filter(|secret| secret.place == SecretPlace::Exposed) {
            ctx.env(&secret.name, &secret.value);
        }
        if let Some(seed) = seed {
            virtualise(&mut ctx, seed);
        }
        if let Some(Program { name, input }) = program {
            ctx.args(&[&name, &input]).stdin(MemoryInputPipe::new(input));
        }
        Self { ctx: ctx.build(), stdout, stderr }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { grants, program, output_bytes, random_bytes, seed, wasi, table, .. } = self;
        let wasi = wasi.get_or_insert_with(|| Wasi::new(grants, program.take(), *output_bytes, *random_bytes, *seed));
        WasiCtxView { ctx: &mut wasi.ctx, table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { grants, http, network, table, .. } = self;
        let network = network.get_or_insert_with(|| Box::new(Network::new(grants, *http)));
        WasiHttpCtxView { ctx: &mut network.ctx, table, hooks: &mut network.hooks }
    }
}

impl OperatorRules {
    /// The lines of the policy that would grant a capability to the tool.
    pub fn would_grant(&self, capability: &str) -> String {
        format!("add to the policy:\ntools:\n  - {{ tool: {}, grant: {{ {capability} }} }}", self.tool)
    }
}
