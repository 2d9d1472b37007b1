//! The names of a component's imports and exports.

use std::collections::HashSet;

use wasmparser::{Parser, Payload};

#[derive(Debug, Default)]
pub(crate) struct ComponentNames<'a> {
    pub(crate) imports: HashSet<&'a str>,
    pub(crate) exports: HashSet<&'a str>,
}

impl<'a> ComponentNames<'a> {
    /// Reads a component that this crate generated.
    pub(crate) fn of(component: &'a [u8]) -> Self {
        let mut names = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
                // The component's own end is the last payload.
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    let imports = imports.into_iter().map_while(Result::ok);
                    names.imports.extend(imports.map(|import| import.name.name));
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    let exports = exports.into_iter().map_while(Result::ok);
                    names.exports.extend(exports.map(|export| export.name.name));
                }
                _ => {}
            }
        }
        names
    }
}
