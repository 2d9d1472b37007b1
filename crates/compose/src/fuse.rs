//! Fuses linked components into one.

use crate::binary::Component;
use crate::compose::{self, compose_error};
use crate::error::FuseError;
use crate::graph::Graph;
use crate::import_names::ImportNames;
use crate::scan::Bodies;

/// The part that a fusion is named after.
pub(crate) const ENTRY: usize = 0;

/// A component to fuse, with the name for messages.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The name of the component in its app.
    pub name: &'a str,
    /// The component.
    pub bytes: &'a [u8],
}

/// A link from an import of one part to an export of another.
///
/// Names are exact. The caller decides whether two versions are compatible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The index of the importing part.
    pub from: usize,
    /// The name of the import in `parts[from]`.
    pub import: String,
    /// The index of the exporting part.
    pub to: usize,
    /// The name of the export in `parts[to]`.
    pub export: String,
}

/// Options of a fusion.
#[derive(Clone, Copy)]
pub struct FuseOptions<'a> {
    /// Returns whether an import carries the identity of its component (configuration, environment,
    /// named providers), by its name in the component.
    ///
    /// Such an import is renamed with [`private_name`](crate::private_name).
    pub is_private: &'a dyn Fn(&str) -> bool,
    /// The largest number of parts; see [`MAX_FUSED_PARTS`](crate::MAX_FUSED_PARTS).
    pub max_parts: usize,
    /// The largest sum of the sizes of all parts; see [`MAX_FUSED_BYTES`](crate::MAX_FUSED_BYTES).
    pub max_bytes: usize,
}

/// A fused component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fused {
    /// The component.
    pub bytes: Vec<u8>,
    /// Every import of the component, in the order of the binary.
    pub imports: Vec<FusedImport>,
}

/// An import of a fused component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FusedImport {
    /// The name in the fused component.
    pub name: String,
    /// The name in the part, without a prefix; the highest version if the parts differ.
    pub original: String,
    /// The part or parts that the import belongs to.
    pub owner: ImportOwner,
}

/// The owner of an import of a fused component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportOwner {
    /// A single part: the import is renamed and bound to the identity of that part.
    Part(usize),
    /// These parts together (one or more, ascending): the import is bound once.
    ///
    /// A private interface is shared when its resources cross a link; all these parts must then
    /// have the same binding.
    Shared(Vec<usize>),
}

/// Fuses linked components into one that has the exports of `parts[0]`, the entry.
///
/// # Errors
///
/// Fails for the reasons of [`fuse_exporting`].
pub fn fuse(
    parts: &[Part<'_>],
    edges: &[Edge],
    options: &FuseOptions<'_>,
) -> Result<Fused, FuseError> {
    fuse_exporting(parts, edges, &[ENTRY], options)
}

/// Fuses linked components into one that has the exports of several of them, in this order.
///
/// A part that uses the entry and takes calls from outside is listed in `exporters` beside the
/// entry. The skeleton of a link, which imports the interfaces that the entry exports, is such a
/// part.
///
/// If the types of those exports refer to types of a linked interface, the exporter of that link
/// exports the interface as well, under its [`private_name`](crate::private_name): types visible
/// outside must have a name.
///
/// Function bodies are copied without validation, which would take half of the time. They are
/// validated when a component is uploaded ([`describe`](crate::describe())) and when the result is
/// compiled.
///
/// # Errors
///
/// Fails if a bound of `options` is exceeded, a part is not a valid component, an edge does not
/// name an import and an export of one type, the edges form a cycle, a part cannot be reached from
/// `exporters`, or two of `exporters` have an export of one name.
pub fn fuse_exporting(
    parts: &[Part<'_>],
    edges: &[Edge],
    exporters: &[usize],
    options: &FuseOptions<'_>,
) -> Result<Fused, FuseError> {
    let graph = Graph::read(parts, edges, exporters, options)?;
    let import_names = ImportNames::assign(&graph, options.is_private)?;
    let bytes = compose::compose(&graph, &import_names)?;
    // The types are checked again: the composing library is not trusted.
    let fused = Component::read(&bytes, Bodies::Skipped).map_err(compose_error)?;
    let imports = import_names.imports_of(&fused)?;
    Ok(Fused { bytes, imports })
}
