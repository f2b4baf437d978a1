//! From a module of WASI preview 1, which is what Go compiles to, to a component.

use std::error::Error;

use wasi_preview1_component_adapter_provider as adapter;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{CustomSection, ImportSection, Module, RawSection};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::Contract;

/// What a program imports beside what the adapter gives it.
pub(super) const COMMAND_WIT: &str = include_str!("../../../languages/go/command.wit");

/// What the HTTP client imports, and the package that its types are of, as the host has it.
pub(super) const HTTP_WIT: &str = include_str!("../../../languages/go/http.wit");
const IO_WIT: &str = include_str!("../../../../../wit/deps/io.wit");

/// Which adapter is put around modules: part of the digest of what is built. As in `Cargo.toml`.
pub(super) const ADAPTER: &str = "wasi-preview1-component-adapter 48.0.8";

/// World `tool` of `wit/tool.wit`, as the guest crate for Rust carries it.
const TOOL_TYPE: &[u8] = include_bytes!("../../../../cortex-tool/src/component-type.bin");

/// World `capabilities` of the same file, of which a component gets what it calls.
const HOST_TYPE: &[u8] = include_bytes!("../../../../cortex-tool/src/host-type.bin");

type Encoded = Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

/// A program becomes `wasi:cli/run`, a library the handler of `cortex:tool`; `network` is for one with the HTTP client, `host` for
/// one with the package `cortex`.
pub(super) fn of(module: &[u8], contract: Contract, network: bool, host: bool) -> Encoded {
    let (mut module, adapter) = match contract {
        Contract::Command => {
            let mut module = keep_exit_codes(module)?;
            describe(&mut module, &[("command.wit", COMMAND_WIT)], "program")?;
            (module, adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)
        }
        Contract::Tool => {
            let mut module = module.to_vec();
            append(&mut module, "component-type:cortex-tool", TOOL_TYPE);
            (module, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        }
    };
    if network {
        describe(&mut module, &[("io.wit", IO_WIT), ("http.wit", HTTP_WIT)], "client")?;
    }
    if host {
        append(&mut module, "component-type:cortex-host", HOST_TYPE);
    }
    let name = adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    // The adapter needs memory of its own before a program of Go has started, which until then exports nothing that works.
    let grow = contract == Contract::Command;
    let encoder = ComponentEncoder::default().module(&module)?.adapter(name, adapter)?.realloc_via_memory_grow(grow);
    Ok(encoder.validate(true).encode()?)
}

fn append(module: &mut Vec<u8>, name: &str, data: &[u8]) {
    wasm_encoder::Section::append_to(&CustomSection { name: name.into(), data: data.into() }, module);
}

/// Adds to a module what its imports are. The last of the packages has the world.
fn describe(module: &mut Vec<u8>, packages: &[(&str, &str)], world: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut resolve = Resolve::default();
    let mut last = Vec::new();
    for (name, text) in packages {
        last = vec![resolve.push_str(name, text)?];
    }
    let world = resolve.select_world(&last, Some(world))?;
    Ok(embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)?)
}

/// The adapter makes every exit code that is not zero a 1, since the first WASI 0.2 knew no others. `exit-with-code`, which
/// came later, has the same type in core WebAssembly as `proc_exit`, so the module can import it instead.
fn keep_exit_codes(wasm: &[u8]) -> Encoded {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::ImportSection(imports) = &payload {
            let mut section = ImportSection::new();
            for import in imports.clone().into_imports() {
                let import = import?;
                let (from, name) = match (import.module, import.name) {
                    ("wasi_snapshot_preview1", "proc_exit") => ("wasi:cli/exit@0.2.12", "exit-with-code"),
                    kept => kept,
                };
                section.import(from, name, RoundtripReencoder.entity_type(import.ty)?);
            }
            module.section(&section);
        } else if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    Ok(module.finish())
}
