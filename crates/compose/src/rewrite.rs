//! Rewrites the names of imports and exports at the outermost level of a component.
//!
//! Other sections refer to them by index. Those are copied unchanged, nested modules and components
//! included, so this costs one copy of the bytes and does not recurse.

use std::collections::HashMap;

use wasm_encoder::{ComponentExternName, ComponentSectionId, Encode};
use wasmparser::{BinaryReader, ComponentExport, ComponentImport, FromReader};

use crate::describe::DescribeError;

/// The magic number, the version and the layer.
const HEADER_BYTES: usize = 8;

/// Renames imports; `names` has the new names by the old ones.
pub(crate) fn rename_imports(
    bytes: &[u8],
    names: &HashMap<String, String>,
) -> Result<Vec<u8>, DescribeError> {
    rewrite::<ComponentImport<'_>>(bytes, ComponentSectionId::Import, |name| {
        if let Some(new) = names.get(&*name.name) {
            name.name = new.clone().into();
        }
    })
}

/// Annotates plainly named exports with the interfaces that they implement.
pub(crate) fn annotate_exports(
    bytes: &[u8],
    implemented: &HashMap<String, String>,
) -> Result<Vec<u8>, DescribeError> {
    rewrite::<ComponentExport<'_>>(bytes, ComponentSectionId::Export, |name| {
        if let Some(interface) = implemented.get(&*name.name) {
            name.implements = Some(interface.clone().into());
        }
    })
}

/// Copies a validated component, with the names in the sections of one kind changed.
fn rewrite<'a, Entry: FromReader<'a>>(
    bytes: &'a [u8],
    section: ComponentSectionId,
    change: impl Fn(&mut ComponentExternName<'_>),
) -> Result<Vec<u8>, DescribeError> {
    let (header, sections) = bytes.split_at(HEADER_BYTES.min(bytes.len()));
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(header);
    let mut reader = BinaryReader::new(sections, 0);
    while !reader.eof() {
        let id = reader.read_u8()?;
        let size = reader.read_var_u32()?;
        let content = reader.read_bytes(usize::try_from(size).unwrap_or(usize::MAX))?;
        out.push(id);
        if id == u8::from(section) {
            rewrite_entries::<Entry>(content, &change)?.encode(&mut out);
        } else {
            content.encode(&mut out);
        }
    }
    Ok(out)
}

fn rewrite_entries<'a, Entry: FromReader<'a>>(
    content: &'a [u8],
    change: &impl Fn(&mut ComponentExternName<'_>),
) -> Result<Vec<u8>, DescribeError> {
    let mut out = Vec::with_capacity(content.len());
    let mut reader = BinaryReader::new(content, 0);
    let count = reader.read_var_u32()?;
    count.encode(&mut out);
    for _ in 0..count {
        let mut entry = reader.clone();
        entry.read::<Entry>()?;
        let name: wasmparser::ComponentExternName<'_> = reader.read()?;
        let mut name = ComponentExternName {
            name: name.name.into(),
            implements: name.implements.map(Into::into),
            version_suffix: name.version_suffix.map(Into::into),
            external_id: name.external_id.map(Into::into),
        };
        change(&mut name);
        name.encode(&mut out);
        let rest = reader.current_position()..entry.current_position();
        out.extend_from_slice(content.get(rest).unwrap_or_default());
        reader = entry;
    }
    Ok(out)
}
