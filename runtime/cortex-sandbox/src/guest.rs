//! The host's side of one call: what the guest was granted, and the state behind its WASI imports.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::deterministic::virtualise;
use crate::ending::{Captured, Decision, Ending, Failure};
use crate::files::{Files, Folder};
use crate::invoke::Call;
use crate::limits::{Limiter, Limits, limit_reached};
use crate::logging::{Log, LogLine, Observer};
use crate::network::{Account, FirstRefusal, Network, NetworkRule};
use crate::output::{BoundedOutput, Overflow};
use crate::secret::{Secret, SecretPlace};
use crate::state::StateHandle;

/// How many different refusals of one call are recorded.
const REFUSALS: usize = 32;

/// What a guest may reach. [`Grants::none`] is the default and means:
///
/// - no file and no directory;
/// - no network: no sockets, no name lookup, no HTTP;
/// - no environment variable, no secret, no state;
/// - standard input is empty, standard output and standard error go into the outcome;
/// - clocks and randomness are the host's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Environment variables, by name and value. Nothing comes from the host's own environment.
    pub environment: Vec<(String, String)>,
    /// Folders of the host.
    pub folders: Vec<Folder>,
    /// Servers that HTTP requests may go to, as far as the operator's own rules agree.
    pub network: Vec<NetworkRule>,
    /// What the operator says to that.
    pub operator: OperatorRules,
    /// What requests carry, and what must not come back.
    pub secrets: Vec<Secret>,
    /// Services on this machine, by their own names.
    pub services: Vec<Service>,
    /// Values of the tool's own.
    pub state: Option<StateHandle>,
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

/// A service that a tool reaches under its name and no other: `http://name:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name.
    pub name: String,
    /// A JSON object of its ports and the loopback ports where they are, which is there for as long as the service runs.
    pub ports: PathBuf,
}

impl Service {
    /// The address of one of its ports, if it runs. Port 80 stands for the only one.
    pub(crate) fn address(&self, port: u16) -> Option<SocketAddr> {
        let ports: BTreeMap<u16, u16> = serde_json::from_slice(&fs_err::read(&self.ports).ok()?).ok()?;
        let only = || if port == 80 && ports.len() == 1 { ports.values().next().copied() } else { None };
        let port = ports.get(&port).copied().or_else(only)?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
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
    pub(crate) limits: Limits,
    pub(crate) grants: Arc<Grants>,
    pub(crate) usage: HostUsage,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) log: Option<Box<Log>>,
    pub(crate) files: Option<Box<Files>>,
    program: Option<Program>,
    seed: Option<u64>,
    /// What the host refused, but for requests, which keep a ledger of their own.
    refusals: Option<Box<Refusals>>,
    /// The trace that the call is a part of, for the guest's requests.
    traceparent: Option<Box<str>>,
    wasi: Option<Box<Wasi>>,
    network: Option<Box<Network>>,
}

/// What a guest used of the host, as far as its calls count it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostUsage {
    pub(crate) random_bytes: u64,
    /// Bytes of state, read and written; of a swap, what it may have written.
    pub(crate) state_bytes: u64,
}

/// What the host refused to a guest, and why first.
#[derive(Default)]
struct Refusals {
    decisions: Vec<Decision>,
    first: Option<FirstRefusal>,
}

/// What a program is told at its start: its name, and its input as first argument and standard input.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) input: String,
}

struct Wasi {
    ctx: WasiCtx,
    stdout: BoundedOutput,
    stderr: BoundedOutput,
}

impl Guest {
    /// The guest of a call. With `program` it is one: its name is the first argument, its input the second and its standard
    /// input, and its result is its standard output. Without, that is a log: the result comes back as a value.
    pub(crate) fn new(call: &Call<'_>, program: Option<Program>) -> Self {
        Self {
            table: ResourceTable::new(),
            limiter: Limiter::new(call.limits),
            limits: call.limits.clone(),
            grants: Arc::clone(call.grants),
            usage: HostUsage::default(),
            observer: call.observer.cloned(),
            log: None,
            files: None,
            program,
            seed: call.seed,
            refusals: None,
            traceparent: call.traceparent.map(Into::into),
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

    /// The lines that it wrote into its record.
    pub(crate) fn take_log(&mut self) -> Vec<LogLine> {
        self.log.take().map_or_else(Vec::new, |log| log.into_lines(self.limits.log_lines, self.limits.output_bytes))
    }

    /// Enters something that the guest did not get, so that the call ends with it if the guest cannot do without. The same
    /// decision again says nothing new, and a guest may try for ever.
    pub(crate) fn refuse(&mut self, decision: Option<Decision>, ending: Ending, failure: Failure) {
        let refusals = self.refusals.get_or_insert_default();
        if let Some(decision) = decision
            && !refusals.decisions.contains(&decision)
            && refusals.decisions.len() < REFUSALS
        {
            refusals.decisions.push(decision);
        }
        refusals.first.get_or_insert(FirstRefusal { ending, failure });
    }

    /// Enters a limit that was reached.
    pub(crate) fn limit_reached(&mut self, failure: Failure) {
        self.refuse(None, Ending::LimitExceeded, failure);
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What the guest's HTTP requests were, and what it was refused.
    pub(crate) fn account(&mut self) -> Account {
        let mut account = self.network.as_ref().map_or_else(Account::default, |network| network.account());
        if let Some(refusals) = self.refusals.take() {
            account.decisions.extend(refusals.decisions);
            account.refusal = account.refusal.or(refusals.first);
        }
        if let Some(reached) = self.files.as_ref().and_then(|files| files.quota.reached()) {
            let failure = limit_reached(reached.limit, &reached.to_string());
            account.refusal.get_or_insert(FirstRefusal { ending: Ending::LimitExceeded, failure });
        }
        account
    }
}

impl Wasi {
    fn new(grants: &Grants, program: Option<Program>, limits: &Limits, seed: Option<u64>) -> Self {
        // A program's output is its result, which must not be cut; any other guest's output is a log.
        let overflow = if program.is_some() { Overflow::Stop } else { Overflow::Truncate };
        let stdout = BoundedOutput::new(limits.output_bytes, overflow);
        let stderr = BoundedOutput::new(limits.output_bytes, Overflow::Truncate);
        let mut ctx = WasiCtx::builder();
        ctx.stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(limits.random_bytes)
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
        let Self { grants, program, limits, seed, wasi, table, .. } = self;
        let wasi = wasi.get_or_insert_with(|| Box::new(Wasi::new(grants, program.take(), limits, *seed)));
        WasiCtxView { ctx: &mut wasi.ctx, table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { grants, limits, traceparent, network, table, .. } = self;
        let network =
            network.get_or_insert_with(|| Box::new(Network::new(grants, limits.http, traceparent.as_deref())));
        WasiHttpCtxView { ctx: &mut network.ctx, table, hooks: &mut network.hooks }
    }
}

impl OperatorRules {
    /// The lines of the policy that would grant a capability to the tool.
    pub fn would_grant(&self, capability: &str) -> String {
        format!("add to the policy:\ntools:\n  - {{ tool: {}, grant: {{ {capability} }} }}", self.tool)
    }
}
