//! The manifests of a command: arguments, and the option `-f` that other tools have.

use std::path::PathBuf;

use clap::Args;

/// The files with manifests, at least one.
#[derive(Debug, Clone, Args)]
pub(crate) struct ManifestFiles {
    /// YAML manifests; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "files_of_option")]
    files: Vec<PathBuf>,
    /// Another manifest, after those without `-f`; repeatable
    #[arg(
        id = "files_of_option",
        short = 'f',
        long = "file",
        value_name = "FILE"
    )]
    files_of_option: Vec<PathBuf>,
}

impl ManifestFiles {
    /// All files, in the order in which they are processed.
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        let files = self.files.iter().chain(&self.files_of_option);
        files.cloned().collect()
    }
}
