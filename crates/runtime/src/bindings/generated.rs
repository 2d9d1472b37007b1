//! Bindings generated from `wit/`, for the interfaces that the crates of wasmtime do not implement.

wasmtime::component::bindgen!({
    inline: "
        package weft:host;
        world imports {
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging@0.1.0-draft;
        }
    ",
    path: [
        "../../wit/deps/wasi-keyvalue-0.2.0-draft",
        "../../wit/deps/wasi-config-0.2.0-rc.1",
        "../../wit/deps/wasi-logging-0.1.0-draft",
    ],
    imports: { default: async | trappable },
    // Their functions take the index of the calling part.
    named_imports: {
        "wasi:config/store@0.2.0-rc.1": usize,
        "wasi:logging/logging@0.1.0-draft": usize,
    },
    with: {
        "wasi:keyvalue/store.bucket": super::keyvalue::GuestBucket,
    },
    trappable_error_type: {
        "wasi:keyvalue/store.error" => super::keyvalue::StoreError,
    },
});
