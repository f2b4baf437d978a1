//! The generated host side of the `tool` world. Alone in its file, since generated code keeps no house rules.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "tool",
    exports: { default: async },
});
