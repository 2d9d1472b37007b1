//! What links between components cost.
//!
//! - [`call`]: one call in each mode, to an instance that is there already.
//! - [`session`]: what a request pays for its link before the first call: an instance of the callee.
//! - [`concurrent`]: async functions and streams.
//! - [`code`]: making and compiling what a link between stores needs.

mod call;
mod code;
mod concurrent;
mod session;

use std::path::Path;

use anyhow::Result;

use super::Effort;
use super::row::Row;
use super::tools::Tools;

/// Adds the rows of each part when it was measured.
pub(super) fn measure(tools: &Tools, effort: Effort, rows: &mut Vec<Row>) -> Result<()> {
    rows.extend(call::measure(tools, effort)?);
    rows.extend(session::measure(tools, effort)?);
    rows.extend(concurrent::measure(tools, effort)?);
    rows.extend(code::measure(tools, effort)?);
    Ok(())
}

/// The app of caller and callee, with a link of a mode between them, and more fields for each of the two.
fn app(tools: &Tools, name: &str, locality: &str, fields: [&str; 2]) -> String {
    let components = ["caller", "callee"].iter().zip(fields);
    let components: Vec<_> = components
        .map(|(name, fields)| component(name, &tools.guest(name), fields))
        .collect();
    let surroundings = ["caller", "callee"].map(|name| {
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
        surroundings.join(", ")
    )
}

/// A component of a manifest, with more fields.
fn component(name: &str, file: &Path, fields: &str) -> String {
    let file = file.display();
    format!("{{name: {name}, source: {{file: '{file}'}}{fields}}}")
}
