//! From the resources that a manifest or a policy names to the sandbox's limits.

use cortex_manifest::{ByteSize, Count, Fuel, Milliseconds, Resources};
use cortex_sandbox::{HttpOverrides, Overrides};

use crate::registry::Tool;

/// The limits that a manifest asks for.
pub(crate) fn asked(tool: &Tool) -> Overrides {
    overrides(&tool.spec.implementation.resources)
}

/// The limits that a section names.
pub(crate) fn overrides(resources: &Resources) -> Overrides {
    let http = resources.http.unwrap_or_default();
    Overrides {
        fuel: resources.fuel.map(Fuel::units),
        timeout: resources.timeout_ms.map(Milliseconds::duration),
        memory_bytes: resources.memory_bytes.map(ByteSize::bytes),
        output_bytes: resources.output_bytes.map(|output| usize::try_from(output.bytes()).unwrap_or(usize::MAX)),
        http: HttpOverrides {
            requests: http.requests.map(Count::number),
            concurrent: http.concurrent.map(Count::number),
            request_bytes: http.request_bytes.map(ByteSize::bytes),
            response_bytes: http.response_bytes.map(ByteSize::bytes),
            timeout: http.timeout_ms.map(Milliseconds::duration),
        },
    }
}
