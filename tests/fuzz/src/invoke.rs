//! The whole way of a component that nobody has looked at: compiled, linked, described, called.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cortex_sandbox::{Allocation, Call, Component, Ending, Function, Grants, Limits, Outcome, Sandbox};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use wasm_encoder::{
    Alias, CanonicalFunctionSection, Component as Encoded, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentTypeSection, ComponentValType, ExportKind, InstanceSection, PrimitiveValType,
    RawSection,
};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, ValType};

const LIMITS: Limits = Limits {
    fuel: 100_000,
    // Only a hang: fuel ends everything else.
    timeout: Duration::from_secs(20),
    memory_bytes: 4 << 20,
    output_bytes: 64 << 10,
    ..Limits::DEFAULT
};

/// Functions of one component that are called.
const CALLS: usize = 4;

/// The bytes are a component, or a core module whose functions of numbers become those of a component.
///
/// # Panics
/// If a call uses more than its limits, or if the same call ends in two ways.
pub fn invoke(data: &[u8]) {
    let wrapped = wrapped(data);
    let Ok(component) = Component::compile(&host().0, wrapped.as_deref().unwrap_or(data)) else { return };
    if component.functions().is_empty() {
        call_twice(&component, None);
    }
    for function in component.functions().iter().filter(|function| function.unsupported.is_none()).take(CALLS) {
        call_twice(&component, Some(function));
    }
}

fn call_twice(component: &Component, function: Option<&Function>) {
    let input = function.map_or_else(|| json!({}), |function| sample(&function.input_schema));
    let outcomes = [(); 2].map(|()| call(component, function, &input));
    let [one, other] = &outcomes;
    assert_ne!(one.ending, Ending::DeadlineExceeded, "fuel did not end it");
    assert_eq!((one.ending, one.usage.fuel), (other.ending, other.usage.fuel), "{one:?} {other:?}");
    let results = outcomes.each_ref().map(|outcome| outcome.result.as_ref().map(|result| result.get()));
    // NaN has many forms; which one comes out of a computation is the machine's affair, and JSON shows none of it.
    assert_eq!(results[0], results[1]);
}

fn call(component: &Component, function: Option<&Function>, input: &Value) -> Outcome {
    let (sandbox, executor, grants) = host();
    let call = Call { function, seed: Some(1), ..Call::new("fuzz", input, &LIMITS, grants) };
    let outcome = executor.block_on(sandbox.invoke(component, call));
    assert!(outcome.usage.memory_peak_bytes <= LIMITS.memory_bytes, "{outcome:?}");
    assert!(outcome.result.as_ref().is_none_or(|result| result.get().len() <= LIMITS.output_bytes), "{outcome:?}");
    assert_eq!(outcome.error.is_none(), outcome.ending == Ending::Success, "{outcome:?}");
    outcome
}

fn host() -> &'static (Sandbox, Runtime, Arc<Grants>) {
    static HOST: OnceLock<(Sandbox, Runtime, Arc<Grants>)> = OnceLock::new();
    HOST.get_or_init(|| {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an executor starts");
        let sandbox = Sandbox::new(Allocation::OnDemand).expect("the engine starts");
        (sandbox, executor, Arc::new(Grants::none()))
    })
}

/// Something that a schema of numbers accepts.
fn sample(schema: &Value) -> Value {
    let names = schema["properties"].as_object().into_iter().flatten();
    Value::Object(names.map(|(name, schema)| (name.clone(), sample_of(schema))).collect::<Map<_, _>>())
}

fn sample_of(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer") => json!(7),
        Some("boolean") => json!(true),
        Some("string") => json!("x"),
        Some("array") => json!([]),
        Some("object") => sample(schema),
        _ => json!(1.5),
    }
}

/// A component around a core module without imports: a function for each export that takes and returns numbers.
fn wrapped(module: &[u8]) -> Option<Vec<u8>> {
    let functions = functions_of(module).ok().flatten()?;
    let mut instances = InstanceSection::new();
    instances.instantiate::<_, &str>(0, []);
    let mut component = Encoded::new();
    component.section(&RawSection { id: 1, data: module }).section(&instances);
    let mut aliases = ComponentAliasSection::new();
    let mut types = ComponentTypeSection::new();
    let mut lifted = CanonicalFunctionSection::new();
    let mut exports = ComponentExportSection::new();
    for (number, (name, ty)) in (0_u32..).zip(&functions) {
        aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Func, name });
        let parameters: Vec<(String, ComponentValType)> =
            ty.params().iter().enumerate().filter_map(|(at, ty)| Some((format!("p{at}"), number_type(*ty)?))).collect();
        let result = ty.results().first().and_then(|ty| number_type(*ty));
        types.function().params(parameters.iter().map(|(name, ty)| (name.as_str(), *ty))).result(result);
        lifted.lift(number, number, []);
        exports.export(format!("f{number}"), ComponentExportKind::Func, number, None);
    }
    component.section(&aliases).section(&types).section(&lifted).section(&exports);
    Some(component.finish())
}

/// The names and types of the exported functions that take numbers and return at most one. `None` for what is no module, or
/// one that imports something.
fn functions_of(module: &[u8]) -> wasmparser::Result<Option<Vec<(&str, FuncType)>>> {
    let (mut types, mut declared, mut exports) = (Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::Version { encoding: wasmparser::Encoding::Component, .. } => return Ok(None),
            Payload::ImportSection(imports) if imports.count() > 0 => return Ok(None),
            Payload::TypeSection(section) => {
                for group in section.into_iter_err_on_gc_types() {
                    types.push(group?);
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    declared.push(ty?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        exports.push((export.name, export.index));
                    }
                }
            }
            _ => {}
        }
    }
    let callable = exports.into_iter().filter_map(|(name, index)| {
        let ty: &FuncType = types.get(*declared.get(index as usize)? as usize)?;
        let numbers = ty.params().iter().chain(ty.results()).all(|ty| number_type(*ty).is_some());
        // More parameters would be passed in memory.
        (numbers && ty.results().len() <= 1 && ty.params().len() <= 16).then(|| (name, ty.clone()))
    });
    let functions: Vec<_> = callable.collect();
    Ok((!functions.is_empty()).then_some(functions))
}

fn number_type(ty: ValType) -> Option<ComponentValType> {
    let primitive = match ty {
        ValType::I32 => PrimitiveValType::S32,
        ValType::I64 => PrimitiveValType::S64,
        ValType::F32 => PrimitiveValType::F32,
        ValType::F64 => PrimitiveValType::F64,
        ValType::V128 | ValType::Ref(_) => return None,
    };
    Some(ComponentValType::Primitive(primitive))
}
