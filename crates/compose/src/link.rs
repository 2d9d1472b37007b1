//! Checks whether an import of one component can be linked to an export of another.
//!
//! Fused links and links between stores use the same check, so that both fail with the same
//! messages.

use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId};

use crate::binary::{Component, Item};
use crate::error::{FuseError, LinkEnds};
use crate::fuse::Part;
use crate::matching::{self, Fault, Found, ResourcePairs};
use crate::scan::Bodies;

/// A component whose links can be checked, read once.
pub struct Linkable {
    name: String,
    component: Component,
}

impl Linkable {
    /// Reads a component.
    ///
    /// Function bodies are not validated; [`describe`](crate::describe()) does that.
    ///
    /// # Errors
    ///
    /// Fails if it is not a valid component.
    pub fn read(part: &Part<'_>) -> Result<Self, FuseError> {
        Ok(Self {
            name: part.name.to_owned(),
            component: read(part)?,
        })
    }

    /// Checks that `export` of `exporter` has the functions and types that `import` of this
    /// component expects, without fusing the two: for a link between stores.
    ///
    /// Names are exact. This does not check whether a link between stores can carry the types, nor
    /// the origin of resources of other interfaces.
    ///
    /// # Errors
    ///
    /// Fails as [`fuse`](crate::fuse()) does for such an edge, with the same message.
    pub fn check_link(&self, import: &str, exporter: &Self, export: &str) -> Result<(), FuseError> {
        check(&self.end(import), &exporter.end(export)).map(drop)
    }

    fn end<'a>(&'a self, item: &'a str) -> End<'a> {
        End {
            name: &self.name,
            component: &self.component,
            item,
        }
    }
}

/// One end of a link.
pub(crate) struct End<'a> {
    /// The name of the component.
    pub(crate) name: &'a str,
    pub(crate) component: &'a Component,
    /// The import or export.
    pub(crate) item: &'a str,
}

/// Compares an import with an export.
pub(crate) fn check(importer: &End<'_>, exporter: &End<'_>) -> Result<ResourcePairs, FuseError> {
    let import = importer.component.import(importer.item);
    let import = import.ok_or_else(|| FuseError::NoImport {
        from: importer.name.to_owned(),
        import: importer.item.to_owned(),
        imports: by_similarity(&importer.component.imports, importer.item),
    })?;
    let export = exporter.component.export(exporter.item);
    let export = export.ok_or_else(|| FuseError::NoExport {
        to: exporter.name.to_owned(),
        export: exporter.item.to_owned(),
        exports: by_similarity(&exporter.component.exports, exporter.item),
    })?;
    let link = || {
        Box::new(LinkEnds {
            from: importer.name.to_owned(),
            to: exporter.name.to_owned(),
            interface: importer.item.to_owned(),
        })
    };
    let not_an_interface = |found| FuseError::NotAnInterface {
        link: link(),
        found,
    };
    let expected = instance(import.ty).map_err(not_an_interface)?;
    let found = instance(export.ty).map_err(not_an_interface)?;
    matching::instances((importer.component, expected), (exporter.component, found))
        .map_err(|fault| mismatch_error(fault, link()))
}

/// Reads a part without its function bodies.
pub(crate) fn read(part: &Part<'_>) -> Result<Component, FuseError> {
    Component::read(part.bytes, Bodies::Skipped).map_err(|source| FuseError::Part {
        part: part.name.to_owned(),
        source,
    })
}

/// Returns the type of an interface, or the kind of an item that is not an interface.
pub(crate) fn instance(ty: ComponentEntityType) -> Result<ComponentInstanceTypeId, &'static str> {
    match ty {
        ComponentEntityType::Instance(id) => Ok(id),
        other => Err(matching::kind(&other)),
    }
}

/// The names of items, those of the same interface in other versions first.
fn by_similarity(items: &[Item], requested: &str) -> Vec<String> {
    let interface = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    let mut names: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
    names.sort_by_key(|name| interface(name) != interface(requested));
    names
}

fn mismatch_error(fault: Fault, link: Box<LinkEnds>) -> FuseError {
    let Fault {
        kind,
        item,
        expected,
        found,
    } = fault;
    match found {
        Found::Other(found) => FuseError::Mismatch {
            link,
            kind,
            item,
            expected,
            found,
        },
        Found::Nothing(items) => FuseError::Missing {
            link,
            kind,
            item,
            expected,
            items,
        },
    }
}
