//! Builds components from source with the tools of their languages.
//!
//! `weft build` and `cargo xtask guests` share this crate. A [`Shell`] runs commands: it publishes
//! each as an [`Event`] before it runs, passes the output of tools on as it arrives, and ends their
//! process groups on a [`Cancel`]. The modules of the languages install missing tools below one
//! cache folder, and run them:
//!
//! | module | tools |
//! | --- | --- |
//! | [`rust`] | cargo with the target of rustup, or with Debian's packages; `wasm-component-ld` |
//! | [`python`] | `componentize-py` in a venv |
//! | [`javascript`] | `componentize-js` from npm |
//! | [`c`] | clang with `wasi-libc`, `wit-bindgen`, and `wasm-component-ld` |
//!
//! The crate reads no environment variable: callers pass settings.

pub mod c;
mod cache;
mod cancel;
mod command_line;
mod error;
mod event;
pub mod javascript;
pub mod python;
pub mod rust;
mod shell;

use std::path::PathBuf;

pub use cancel::Cancel;
pub use command_line::command_line;
pub use error::Error;
pub use event::{Event, Stream};
pub use shell::{Output, Shell};

/// The sources of a component in Python, JavaScript or C, and the file that is made of them.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The folder in which the tool runs.
    pub dir: PathBuf,
    /// The name of the module with the program, without its extension.
    pub entry: String,
    /// The folder with the WIT of the component; relative to `dir` unless it is absolute.
    pub wit: PathBuf,
    /// The world that the component implements.
    pub world: String,
    /// The component; relative to `dir` unless it is absolute. Its folder exists.
    pub output: PathBuf,
}
