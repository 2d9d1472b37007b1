//! Bindings of the interfaces that wasmtime does not bring, generated from `wit/`.

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
    // Their functions get the index of the part that calls.
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
