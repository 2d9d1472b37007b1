//! Costs of links between components.
//!
//! - [`call`]: calls in each mode, to an instance that exists already.
//! - [`session`]: the start of a link in a request, which needs an instance of the callee.
//! - [`concurrent`]: async functions and streams.
//! - [`stub_compile`]: generation and compilation of stub and skeleton.

mod call;
mod concurrent;
mod session;
mod stub_compile;

use std::path::Path;

use anyhow::Result;

use super::Effort;
use super::row::Row;
use super::tools::Tools;

/// Adds the rows of each part as soon as they are measured.
pub(super) fn measure(tools: &Tools, effort: Effort, rows: &mut Vec<Row>) -> Result<()> {
    rows.extend(call::measure(tools, effort)?);
    rows.extend(session::measure(tools, effort)?);
    rows.extend(concurrent::measure(tools, effort)?);
    rows.extend(stub_compile::measure(tools, effort)?);
    Ok(())
}

/// The manifest of a caller and a callee with a link of some mode, and further fields of both.
fn app(tools: &Tools, name: &str, locality: &str, fields: [&str; 2]) -> String {
    let components = ["caller", "callee"].iter().zip(fields);
    let components: Vec<_> = components
        .map(|(name, fields)| component(name, &tools.guest(name), fields))
        .collect();
    let provider_links = ["caller", "callee"].map(|name| {
        format!(
            "{{from: {name}, interface: 'wasi:config', to: values}}, {{from: {name}, interface: \
             'wasi:keyvalue', to: memory}}"
        )
    });
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: {name}}}\nspec:\n  \
         components: [{}]\n  \
         providers: [{{name: values, type: config-values}}, {{name: memory, type: keyvalue-memory}}]\n  \
         links: [{{from: caller, interface: 'fixture:links', to: callee, locality: {locality}}}, {}]\n",
        components.join(", "),
        provider_links.join(", ")
    )
}

/// A component of a manifest, with further fields.
fn component(name: &str, file: &Path, fields: &str) -> String {
    let file = file.display();
    format!("{{name: {name}, source: {{file: '{file}'}}{fields}}}")
}
