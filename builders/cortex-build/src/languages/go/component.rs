//! From a module of WASI preview 1, which is what Go compiles to, to a component.

use std::error::Error;

use wasi_preview1_component_adapter_provider as adapter;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{CustomSection, ImportSection, Module, RawSection};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a program imports beside what the adapter gives it.
pub(super) const COMMAND_WIT: &str = include_str!("../../../languages/go/command.wit");

/// Which adapter is put around modules: part of the digest of what is built. As in `Cargo.toml`.
pub(super) const ADAPTER: &str = "wasi-preview1-component-adapter 48.0.8";

/// World `tool` of `wit/tool.wit`, as the guest crate for Rust carries it.
const TOOL_TYPE: &[u8] = include_bytes!("../../../../cortex-tool/src/component-type.bin");

type Encoded = Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

/// A program: `wasi:cli/run`.
pub(super) fn of_command(module: &[u8]) -> Encoded {
    let mut module = keep_exit_codes(module)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("command.wit", COMMAND_WIT)?;
    let world = resolve.select_world(&[package], Some("program"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    encode(&module, adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)
}

/// A library with the handler of `cortex:tool`.
pub(super) fn of_tool(module: &[u8]) -> Encoded {
    let mut module = module.to_vec();
    let section = CustomSection { name: "component-type:cortex-tool".into(), data: TOOL_TYPE.into() };
    wasm_encoder::Section::append_to(&section, &mut module);
    encode(&module, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
}

fn encode(module: &[u8], adapter: &[u8]) -> Encoded {
    let name = adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    Ok(ComponentEncoder::default().module(module)?.adapter(name, adapter)?.validate(true).encode()?)
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
