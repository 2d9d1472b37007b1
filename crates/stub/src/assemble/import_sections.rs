//! The raw import sections of a component, to be repeated in a component around it.

use std::ops::Range;

use wasm_encoder::RawSection;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentTypeRef, Parser, Payload, SectionLimited,
};

use super::AssembleError;

/// The sections of a component up to its last import, and the items they define.
///
/// Sections number items from the start of the component, so they mean the same at the start of
/// another component.
#[derive(Debug, Default)]
pub(super) struct ImportSections<'a> {
    pub(super) sections: Vec<RawSection<'a>>,
    /// The imported interfaces, with their indices.
    pub(super) imports: Vec<(&'a str, u32)>,
    /// Numbers of types and instances that the sections define.
    pub(super) types: u32,
    pub(super) instances: u32,
}

impl<'a> ImportSections<'a> {
    pub(super) fn read(component: &'a [u8]) -> Result<Self, AssembleError> {
        let mut read = Self::default();
        let mut prefix = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            let is_import = matches!(payload, Payload::ComponentImportSection(_));
            let section = payload.as_section();
            match payload {
                Payload::Version { .. } | Payload::CustomSection(_) => continue,
                Payload::ComponentTypeSection(types) => read.types += types.count(),
                Payload::ComponentAliasSection(aliases) => read.aliases(aliases)?,
                Payload::ComponentImportSection(imports) => {
                    for import in imports {
                        let import = import?;
                        match import.ty {
                            ComponentTypeRef::Instance(_) => {
                                read.imports.push((import.name.name, read.instances));
                                read.instances += 1;
                            }
                            _ => return Err(unexpected("an import that is not an interface")),
                        }
                    }
                }
                // The tools write imports first.
                _ => break,
            }
            if let Some((id, range)) = section {
                let data = bytes(component, range)?;
                read.sections.push(RawSection { id, data });
            }
            if is_import {
                prefix = Self {
                    sections: read.sections.clone(),
                    imports: read.imports.clone(),
                    ..read
                };
            }
        }
        Ok(prefix)
    }

    fn aliases(
        &mut self,
        aliases: SectionLimited<'a, ComponentAlias<'a>>,
    ) -> Result<(), AssembleError> {
        for alias in aliases {
            match alias? {
                ComponentAlias::InstanceExport {
                    kind: ComponentExternalKind::Type,
                    ..
                } => self.types += 1,
                _ => return Err(unexpected("an alias that is not of a type")),
            }
        }
        Ok(())
    }
}

fn bytes(component: &[u8], range: Range<u64>) -> Result<&[u8], AssembleError> {
    let start = usize::try_from(range.start).ok();
    let end = usize::try_from(range.end).ok();
    start
        .zip(end)
        .and_then(|(start, end)| component.get(start..end))
        .ok_or_else(|| unexpected("a section beyond its end"))
}

fn unexpected(found: &'static str) -> AssembleError {
    AssembleError::UnexpectedItem { found }
}
