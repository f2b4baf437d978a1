//! Components that are an attack before any of their code runs.

use cortex_runtime::{CompilerProgram, Policy};
use cortex_sandbox::{Call, CompiledCache, Grants, Limits, digest};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CodeSection, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentTypeSection, ComponentValType, CustomSection, Encode, ExportKind, ExportSection,
    Function, FunctionSection, InstanceSection, Module, ModuleSection, PrimitiveValType, TypeSection, ValType,
};

use super::*;
use crate::host::{block_on, sandbox};

/// Calls a component by its path, with a function or none.
fn call(bytes: &[u8], function: &str) -> Arc<Execution> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.wasm");
    fs_err::write(&path, bytes).unwrap();
    let execution = Tools::new().call(&format!("{}{function}", path.display()), json!({}));
    let record = serde_json::to_string(&*execution).unwrap();
    assert!(record.len() < 64 << 10, "a record of {} bytes", record.len());
    execution
}

fn refused(bytes: &[u8], function: &str, words: &str) {
    let execution = call(bytes, function);
    assert!(matches!(execution.ending, Ending::BuildFailed | Ending::InvalidInput), "{}", said(&execution));
    assert!(said(&execution).contains(words), "{}", said(&execution));
    assert_eq!(execution.usage.fuel, 0, "nothing ran");
}

/// Attack: fuel lost through `catch` (GHSA-m63x)
/// Ends: `build_failed`: exceptions are switched off
#[test]
fn exceptions_are_not_compiled() {
    let execution = call(&guests::read(guests::HOSTILE_CATCHES), "");
    assert_ended(&execution, Ending::BuildFailed, "not a valid WebAssembly component");
    assert!(said(&execution).contains("exceptions"), "{}", said(&execution));
}

/// Attack: a component of 100 MB
/// Ends: `limit_exceeded` before it is read as WebAssembly
#[test]
fn a_component_is_bounded_before_it_is_compiled() {
    let mut component = Component::new();
    component.section(&CustomSection { name: "padding".into(), data: vec![0; 100_000_000].into() });
    let execution = call(&component.finish(), "");
    assert_ended(&execution, Ending::LimitExceeded, "the limit `compile.size` is 67108864");
}

/// Attack: components in components, 10,000 levels deep
/// Ends: `build_failed`
#[test]
fn nesting_does_not_overflow_the_compiler_s_stack() {
    let mut bytes = Component::new().finish();
    for _ in 0..10_000 {
        let mut outer = Component::HEADER.to_vec();
        outer.push(4);
        bytes.len().encode(&mut outer);
        outer.extend(&bytes);
        bytes = outer;
    }
    assert_eq!(call(&bytes, "").ending, Ending::BuildFailed);
}

/// A core module of so many functions that all return 42; the first one is `answer`.
fn module_of(functions_count: u32) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut body = Function::new([]);
    body.instructions().i32_const(42).end();
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for _ in 0..functions_count {
        functions.function(0);
        code.function(&body);
    }
    let mut exports = ExportSection::new();
    exports.export("answer", ExportKind::Func, 0);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    module
}

/// A component that exports `answer` of a core module under so many names.
fn component_of(module: &Module, exports_count: u32) -> Vec<u8> {
    let mut instances = InstanceSection::new();
    instances.instantiate::<_, &str>(0, []);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Func, name: "answer" });
    let mut types = ComponentTypeSection::new();
    let u32 = ComponentValType::Primitive(PrimitiveValType::U32);
    types.function().params::<_, ComponentValType>([]).result(Some(u32));
    let mut lifted = CanonicalFunctionSection::new();
    lifted.lift(0, 0, []);
    let mut exports = ComponentExportSection::new();
    for number in 0..exports_count {
        exports.export(format!("answer{number}"), ComponentExportKind::Func, 0, None);
    }
    let mut component = Component::new();
    component.section(&ModuleSection(module)).section(&instances).section(&aliases).section(&types);
    component.section(&lifted).section(&exports);
    component.finish()
}

/// Attack: a core module of 1,000,001 functions
/// Ends: `build_failed`
#[test]
fn functions_are_bounded_in_number() {
    refused(&component_of(&module_of(1_000_001), 1), "", "functions count exceeds limit");
    assert_eq!(answer(&call(&component_of(&module_of(3), 1), "")), json!(42), "the bomb without its charge works");
}

/// Attack: 300,000 functions, each small, that take the compiler minutes or gigabytes
/// Ends: `limit_exceeded`, and the process that compiled is gone
#[test]
fn compiling_is_bounded_in_time_and_in_memory() {
    let bomb = component_of(&module_of(300_000), 1);
    for (limits, words) in [
        ("time: 1, memory: 2G", "compiling the component took more than 1s"),
        ("time: 300, memory: 64M", "under 67108864 bytes of memory"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (policy, path) = (folder.path().join("cortex.yml"), folder.path().join("bomb.wasm"));
        fs_err::write(&policy, format!("kind: Policy\nversion: \"1.0\"\ncompile: {{ {limits} }}\n")).unwrap();
        fs_err::write(&path, &bomb).unwrap();
        let program = env!("CARGO_BIN_EXE_calls").into();
        let compiler = Some(CompilerProgram { program, arguments: vec!["compile".into()] });
        // A home of its own, so that nobody has compiled it before.
        let tools = Tools::with(|settings| Settings {
            home: folder.path().join("home"),
            policy: Policy::open(&policy).unwrap(),
            compiler: compiler.clone(),
            ..settings
        });
        let execution = tools.call(path.to_str().unwrap(), json!({}));
        assert_ended(&execution, Ending::LimitExceeded, words);
        let other = folder.path().join("honest.wasm");
        fs_err::write(&other, component_of(&module_of(3), 1)).unwrap();
        assert_eq!(answer(&tools.call(other.to_str().unwrap(), json!({}))), json!(42));
    }
}

/// Attack: 5,000 exported functions, each of which would get a schema
/// Ends: `build_failed`
#[test]
fn exported_functions_are_bounded_in_number() {
    let module = module_of(1);
    let words = "the component exports 5000 functions, the limit is 4096";
    refused(&component_of(&module, 5_000), "#answer7", words);
    let some = component_of(&module, 100);
    assert_eq!(answer(&call(&some, "#answer7")), json!(42));
    assert_ended(&call(&some, ""), Ending::InvalidInput, "and 80 more");
}

/// Attack: WIT types that name one another, a few hundred bytes that stand for gigabytes of JSON Schema
/// Ends: `invalid_input`: such a function cannot be called
#[test]
fn types_that_are_too_many_for_a_schema_are_not_written_out() {
    let bytes = guests::read(guests::HOSTILE_TYPES);
    assert!(bytes.len() < 1000);
    for function in ["", "#answer"] {
        refused(&bytes, function, "the types of the component are too many to be written as JSON Schema");
    }
}

/// Attack: every bit of a component flipped, one in each byte
/// Ends: in an ending like any other, whatever the component has become
#[test]
fn a_flipped_bit_in_a_component_is_contained() {
    let whole = guests::read(guests::HOSTILE_HANDLES);
    let home = tempfile::tempdir().unwrap();
    let cache = CompiledCache::new(sandbox(), home.path(), u64::MAX);
    let (grants, limits) = (Arc::new(Grants::none()), Limits { fuel: 1_000_000, ..Limits::DEFAULT });
    let mut ran = 0;
    for at in 8..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let Ok((component, _)) = cache.load(sandbox(), &digest(&bytes), || Ok(bytes)) else { continue };
        let (function, input) = (component.function(None), json!({"count": 10}));
        let call = Call { function, ..Call::new("bomb", &input, &limits, &grants) };
        let outcome = block_on(sandbox().invoke(&component, call));
        assert!(outcome.usage.fuel <= 2_000_000, "{at}: {}", outcome.usage.fuel);
        ran += 1;
    }
    assert!(ran > 0, "names and numbers can be changed without making it invalid");
}
