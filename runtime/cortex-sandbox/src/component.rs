//! A component that is ready to be called: compiled, linked, its contract known.

use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde_json::Value;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component as Compiled, ComponentExportIndex, InstancePre};
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::bindings::ToolPre;
use crate::compiler::{self, CompileLimits};
use crate::engine::{PROVIDED, Sandbox, SandboxError};
use crate::guest::Guest;
use crate::json::{self, ConversionError};
use crate::schema::{self, Room};

/// How a component sees a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// `wasi:cli/run`: JSON in the first argument and on standard input, JSON on standard output.
    Command,
    /// `cortex:tool/handler`: JSON in, JSON or a typed error out.
    Tool,
    /// Any other component: each exported function is a tool, its schema comes from its WIT types.
    Functions,
}

impl Contract {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Tool => "tool",
            Self::Functions => "functions",
        }
    }
}

/// A function that a component exports, callable with a JSON object of its parameters.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name to call it by: `function`, or `interface.function` for a function inside an exported interface.
    pub name: String,
    /// JSON Schema of the object of its parameters.
    pub input_schema: Value,
    /// JSON Schema of what it returns, when it returns something.
    pub output_schema: Option<Value>,
    /// Why it cannot be called, when it cannot: it takes or returns a resource or another type that JSON does not have.
    pub unsupported: Option<String>,
    pub(crate) index: ComponentExportIndex,
    pub(crate) ty: ComponentFunc,
}

impl Function {
    /// The input as the function would see it, in JSON again: what conversion to WIT values and back makes of it.
    pub fn round_trip(&self, input: &Value) -> Result<Value, ConversionError> {
        json::round_trip(&self.ty, input)
    }
}

/// The most functions of a component: each has a schema that is kept, and a name that is listed.
const FUNCTIONS_MAX: usize = 4096;

/// A component that is ready to be called.
pub struct Component {
    pub(crate) entry: Entry,
    functions: Vec<Function>,
    imports: Vec<String>,
    /// It imports no function, so it can compute and nothing else: it never waits in the host.
    pub(crate) isolated: bool,
    /// A call has shown that instantiating it runs none of its code, which is a property of the component: start
    /// functions run always or never.
    pub(crate) starts_quietly: AtomicBool,
}

/// What is called. Everything that can be looked up once is looked up here, not in each call.
pub(crate) enum Entry {
    Command(CommandPre<Guest>),
    Tool(ToolPre<Guest>),
    Functions(InstancePre<Guest>),
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("contract", &self.contract()).finish_non_exhaustive()
    }
}

impl Component {
    /// Compiles a component for this process alone: nothing is kept on disk. Blocks.
    pub fn compile(sandbox: &Sandbox, wasm: &[u8]) -> Result<Self, SandboxError> {
        compiler::check(wasm, &CompileLimits::default())?;
        let compile_error = |error: wasmtime::Error| SandboxError::Compile(error.into_boxed_dyn_error());
        Self::new(sandbox, &Compiled::new(&sandbox.engine, wasm).map_err(compile_error)?)
    }

    /// Links a compiled component with the host and finds out how it is called.
    pub(crate) fn new(sandbox: &Sandbox, compiled: &Compiled) -> Result<Self, SandboxError> {
        let imports = imports(sandbox, compiled)?;
        let link = |error: wasmtime::Error| SandboxError::Link(error.into_boxed_dyn_error());
        compiled.initialize_copy_on_write_image().map_err(link)?;
        let pre = sandbox.linker.instantiate_pre(compiled).map_err(link)?;
        let with = |entry, functions| Self {
            entry,
            functions,
            isolated: imports.is_empty(),
            imports: imports.clone(),
            starts_quietly: AtomicBool::new(false),
        };
        // A typed entry wins over foreign functions: a tool may export helpers beside its handler.
        if let Ok(tool) = ToolPre::new(pre.clone()) {
            return Ok(with(Entry::Tool(tool), Vec::new()));
        }
        if let Ok(command) = CommandPre::new(pre.clone()) {
            return Ok(with(Entry::Command(command), Vec::new()));
        }
        let functions = exported_functions(sandbox, compiled);
        if functions.is_empty() {
            return Err(SandboxError::NothingToCall);
        }
        if functions.len() > FUNCTIONS_MAX {
            return Err(SandboxError::TooManyFunctions { count: functions.len(), limit: FUNCTIONS_MAX });
        }
        Ok(with(Entry::Functions(pre), functions))
    }

    /// How the component is called.
    pub fn contract(&self) -> Contract {
        match self.entry {
            Entry::Command(_) => Contract::Command,
            Entry::Tool(_) => Contract::Tool,
            Entry::Functions(_) => Contract::Functions,
        }
    }

    /// The interfaces of the host that the component can call, such as `wasi:http/outgoing-handler@0.2.12`.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The callable functions of a component with the `functions` contract; empty for the others.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Finds a function by its full name, or by its last part if only one function has it. Without a name, the only
    /// function there is.
    pub fn function(&self, name: Option<&str>) -> Option<&Function> {
        let Some(name) = name else {
            return if let [only] = self.functions.as_slice() { Some(only) } else { None };
        };
        if let Some(exact) = self.functions.iter().find(|function| function.name == name) {
            return Some(exact);
        }
        let mut short = self.functions.iter().filter(|f| f.name.rsplit_once('.').is_some_and(|(_, last)| last == name));
        match (short.next(), short.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }
}

/// Refuses by name what the linker would refuse with a type error. What is imported, but for types.
fn imports(sandbox: &Sandbox, compiled: &Compiled) -> Result<Vec<String>, SandboxError> {
    let component = compiled.component_type();
    let mut imports = Vec::new();
    for (name, item) in component.imports(&sandbox.engine) {
        let provided = PROVIDED.iter().any(|package| {
            let (package, version) = package.split_once('@').unwrap_or((package, ""));
            name.strip_prefix(package).is_some_and(|rest| {
                (rest.starts_with('/') || rest.starts_with('@'))
                    && rest.split_once('@').is_none_or(|(_, wanted)| wanted.starts_with(version))
            })
        });
        // An instance with only types in it (as of `cortex:tool/types`) asks the host for nothing.
        let only_types = match &item.ty {
            ComponentItem::ComponentInstance(instance) => {
                instance.exports(&sandbox.engine).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
            }
            ComponentItem::Type(_) => true,
            _ => false,
        };
        if !provided && !only_types {
            return Err(SandboxError::Denied { import: name.to_owned() });
        }
        if !only_types {
            imports.push(name.to_owned());
        }
    }
    Ok(imports)
}

fn exported_functions(sandbox: &Sandbox, compiled: &Compiled) -> Vec<Function> {
    let engine = &sandbox.engine;
    let mut functions = Vec::new();
    let mut room = Room::new();
    for (name, item) in compiled.component_type().exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(ty) => {
                let index = compiled.get_export_index(None, name);
                functions.extend(index.map(|index| function(name.to_owned(), index, ty, &mut room)));
            }
            ComponentItem::ComponentInstance(instance) => {
                let Some(outer) = compiled.get_export_index(None, name) else { continue };
                for (inner, item) in instance.exports(engine) {
                    let ComponentItem::ComponentFunc(ty) = item.ty else { continue };
                    let index = compiled.get_export_index(Some(&outer), inner);
                    let name = format!("{}.{inner}", interface(name));
                    functions.extend(index.map(|index| function(name, index, ty, &mut room)));
                }
            }
            _ => {}
        }
    }
    functions
}

/// `docs:adder/add@0.1.0` is known as `add` to the one who calls it.
fn interface(name: &str) -> &str {
    let without_version = name.split_once('@').map_or(name, |(name, _)| name);
    without_version.rsplit_once('/').map_or(without_version, |(_, interface)| interface)
}

fn function(name: String, index: ComponentExportIndex, ty: ComponentFunc, room: &mut Room) -> Function {
    if !room.take(&ty) {
        let unsupported = Some("the types of the component are too many to be written as JSON Schema".to_owned());
        return Function { input_schema: Value::Bool(false), output_schema: None, unsupported, name, index, ty };
    }
    let unsupported = schema::unsupported(&ty);
    Function {
        input_schema: schema::of_parameters(&ty),
        output_schema: schema::of_result(&ty),
        unsupported,
        name,
        index,
        ty,
    }
}
