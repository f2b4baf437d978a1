//! The generated host side of the `tool` world. Alone in its file, since generated code keeps no house rules.

/// What a tool may import besides WASI.
#[expect(clippy::error_impl_error, reason = "the name is that of `wasi:keyvalue`")]
pub(crate) mod capabilities {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "capabilities",
        imports: {
            "wasi:logging/logging": trappable,
            "cortex:tool/host.progress": trappable,
            "cortex:tool/host.secret-exists": trappable,
            "wasi:keyvalue/store.open": trappable,
            "wasi:keyvalue/store.[drop]bucket": trappable,
            // The rest reads and writes a database, which blocks.
            default: async | trappable,
        },
        with: { "wasi:keyvalue/store.bucket": crate::state::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => crate::state::StateError },
    });
}

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "tool",
    exports: { default: async },
});
