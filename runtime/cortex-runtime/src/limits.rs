//! From the resources that a manifest or a policy names to the sandbox's limits.

use cortex_manifest::{ByteSize, CompileResources, Count, Fuel, Milliseconds, Resources};
use cortex_sandbox::{CompileLimits, FileOverrides, HttpOverrides, Overrides, StateOverrides};

use crate::registry::Tool;

/// The limits that a manifest asks for.
pub(crate) fn asked(tool: &Tool) -> Overrides {
    overrides(&tool.spec.implementation.resources)
}

/// The limits of compiling: the defaults, changed by what the policy says.
pub(crate) fn compile_limits(written: &CompileResources) -> CompileLimits {
    let default = CompileLimits::default();
    CompileLimits {
        component_bytes: written.size_bytes.map_or(default.component_bytes, ByteSize::bytes),
        timeout: written.time_ms.map_or(default.timeout, Milliseconds::duration),
        memory_bytes: written.memory_bytes.map_or(default.memory_bytes, ByteSize::bytes),
    }
}

/// The limits that a section names.
pub fn overrides(resources: &Resources) -> Overrides {
    let http = resources.http.unwrap_or_default();
    let (files, state) = (resources.files.unwrap_or_default(), resources.state.unwrap_or_default());
    let in_memory = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Overrides {
        fuel: resources.fuel.map(Fuel::units),
        timeout: resources.timeout_ms.map(Milliseconds::duration),
        memory_bytes: resources.memory_bytes.map(ByteSize::bytes),
        output_bytes: resources.output_bytes.map(|output| in_memory(output.bytes())),
        input_bytes: resources.input_bytes.map(|input| in_memory(input.bytes())),
        instances: resources.instances.map(|instances| in_memory(instances.number())),
        handles: resources.handles.map(|handles| in_memory(handles.number())),
        hostcall_bytes: resources.copy_bytes.map(|copy| in_memory(copy.bytes())),
        random_bytes: resources.random_bytes.map(ByteSize::bytes),
        log_lines: resources.log_lines.map(|lines| in_memory(lines.number())),
        http: HttpOverrides {
            requests: http.requests.map(Count::number),
            concurrent: http.concurrent.map(Count::number),
            request_bytes: http.request_bytes.map(ByteSize::bytes),
            response_bytes: http.response_bytes.map(ByteSize::bytes),
            header_bytes: http.header_bytes.map(ByteSize::bytes),
            timeout: http.timeout_ms.map(Milliseconds::duration),
        },
        files: FileOverrides {
            bytes: resources.disk_bytes.map(ByteSize::bytes),
            created: files.created.map(Count::number),
            path_bytes: files.path_bytes.map(ByteSize::bytes),
            listed: files.listed.map(Count::number),
        },
        state: StateOverrides {
            keys: state.keys.map(Count::number),
            bytes: state.size_bytes.map(ByteSize::bytes),
            key_bytes: state.key_bytes.map(ByteSize::bytes),
        },
    }
}
