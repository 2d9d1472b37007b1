//! The outline of a component: everything but its code and data.
//!
//! It has the imports, exports, types, memories and tables of the component, and instances of it
//! trap. So a compiler that takes seconds for the component takes milliseconds for its outline, and
//! finds the same mistakes in its types.

use wasm_encoder::{ComponentSectionId, Encode, SectionId};
use wasmparser::BinaryReader;

use crate::describe::DescribeError;
use crate::limits::MAX_NESTING;

/// The magic number, the version and the layer.
const HEADER_BYTES: usize = 8;

/// No locals, `unreachable`, `end`: valid for every type of function.
const BODY: [u8; 3] = [0x00, 0x00, 0x0b];

/// A component without code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The binary of the outline.
    pub bytes: Vec<u8>,
    /// The core modules with their code, in the order of the binary.
    pub modules: Vec<&'a [u8]>,
}

/// Removes the code and data of a validated component.
///
/// # Errors
///
/// Fails if the bytes are not a component.
pub fn outline(bytes: &[u8]) -> Result<Outline<'_>, DescribeError> {
    let mut modules = Vec::new();
    let bytes = component(bytes, &mut modules, 0)?;
    Ok(Outline { bytes, modules })
}

fn component<'a>(
    bytes: &'a [u8],
    modules: &mut Vec<&'a [u8]>,
    depth: usize,
) -> Result<Vec<u8>, DescribeError> {
    if depth > MAX_NESTING {
        return Err(DescribeError::NestedTooDeeply { limit: MAX_NESTING });
    }
    copy(bytes, |id, content, out| {
        if id == u8::from(ComponentSectionId::CoreModule) {
            modules.push(content);
            section(id, &module(content)?, out);
        } else if id == u8::from(ComponentSectionId::Component) {
            section(id, &component(content, modules, depth + 1)?, out);
        } else if id != u8::from(ComponentSectionId::CoreCustom) {
            section(id, content, out);
        }
        Ok(())
    })
}

fn module(bytes: &[u8]) -> Result<Vec<u8>, DescribeError> {
    let dropped = [SectionId::Custom, SectionId::Data, SectionId::DataCount];
    copy(bytes, |id, content, out| {
        if id == u8::from(SectionId::Code) {
            section(id, &bodies(content)?, out);
        } else if !dropped.map(u8::from).contains(&id) {
            section(id, content, out);
        }
        Ok(())
    })
}

/// As many bodies as the section has, each of one instruction.
fn bodies(content: &[u8]) -> Result<Vec<u8>, DescribeError> {
    let mut reader = BinaryReader::new(content, 0);
    let count = reader.read_var_u32()?;
    let mut out = Vec::new();
    count.encode(&mut out);
    for _ in 0..count {
        let size = reader.read_var_u32()?;
        reader.read_bytes(usize::try_from(size).unwrap_or(usize::MAX))?;
        BODY[..].encode(&mut out);
    }
    Ok(out)
}

fn section(id: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(id);
    content.encode(out);
}

/// Copies a binary, with the sections that `each` writes for those of the input.
fn copy<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(u8, &'a [u8], &mut Vec<u8>) -> Result<(), DescribeError>,
) -> Result<Vec<u8>, DescribeError> {
    let (header, sections) = bytes.split_at(HEADER_BYTES.min(bytes.len()));
    let mut out = header.to_vec();
    let mut reader = BinaryReader::new(sections, 0);
    while !reader.eof() {
        let id = reader.read_u8()?;
        let size = reader.read_var_u32()?;
        let content = reader.read_bytes(usize::try_from(size).unwrap_or(usize::MAX))?;
        each(id, content, &mut out)?;
    }
    Ok(out)
}
