//! Composes two components ahead of time, as `wac plug` does: the cost of a link without a host's
//! help.
//!
//! ```sh
//! bench-compose caller.wasm callee.wasm composed.wasm
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, plug};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [importer, exporter, composed] = &arguments[..] else {
        bail!("expected three files: the importer, the exporter, and the output");
    };
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "bench:importer", importer)?;
    let plugs = vec![register(&mut graph, "bench:exporter", exporter)?];
    plug(&mut graph, plugs, socket).context("cannot plug the exporter into the importer")?;
    let bytes = graph.encode(EncodeOptions::default())?;
    std::fs::write(composed, bytes)
        .with_context(|| format!("cannot write `{}`", composed.display()))
}

fn register(graph: &mut CompositionGraph, name: &str, file: &Path) -> Result<PackageId> {
    let package = Package::from_file(name, None, file, graph.types_mut())
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(graph.register_package(package)?)
}
