//! Describes WebAssembly components and fuses linked ones into one.
