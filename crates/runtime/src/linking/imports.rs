//! The host's implementation of each import of a fused component: interfaces of the host, and the
//! functions of links to other stores.

use std::sync::Arc;

use wasmtime::component::Linker;
use weft_compose::{FusedImport, ImportOwner};
use weft_lattice_config::InterfaceName;

use super::{AppInput, FusionGroup, Mode, PrepareError};
use crate::bindings::{self, HostInterface};
use crate::engine::EngineKind;
use crate::guest::GuestState;
use crate::links::{
    self, CALL_INTERFACE, DIRECT_INTERFACE, Delivery, Execution, Link, LinkedFunction, Transport,
};

/// An import of a fused component, with its implementation.
pub(super) struct HostImport {
    /// Name of the import in the fused component.
    name: Box<str>,
    source: ImportSource,
}

enum ImportSource {
    /// An interface of the host.
    Hosted {
        interface: &'static HostInterface,
        /// The part whose identity it has.
        part: usize,
        /// The name in the part, if that is a plain one.
        plain_name: Option<Box<str>>,
    },
    /// The encoded calls of a stub.
    Call(Arc<Link>),
    /// The typed functions that a stub exports again.
    Direct(Arc<Link>),
    /// An interface with concurrent functions.
    Concurrent(Vec<Arc<LinkedFunction>>),
}

/// The links of a group to other stores, in the order of its crossings.
pub(super) struct GroupLinks(Vec<Arc<Link>>);

impl GroupLinks {
    pub(super) fn of(
        input: &AppInput,
        group: &FusionGroup,
        kind: EngineKind,
        transport: &Transport,
    ) -> Self {
        let delivery = |mode: Mode| Delivery {
            execution: match kind {
                EngineKind::Synchronous => Execution::Inline,
                EngineKind::Concurrent => Execution::Task,
            },
            tasks: transport.tasks.clone(),
            frames: match mode {
                Mode::Remote => transport.remote.clone(),
                Mode::Fused | Mode::Local => transport.loopback.clone(),
            },
        };
        let links = group.crossings.iter().enumerate();
        let links =
            links.map(|(slot, (_, crossing))| crossing.link(input, slot, delivery(crossing.mode)));
        Self(links.map(Arc::new).collect())
    }
}

impl HostImport {
    /// Defines the import in a linker.
    pub(super) fn define(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        let mut instance = linker.instance(&self.name)?;
        match &self.source {
            ImportSource::Hosted {
                interface,
                part,
                plain_name,
            } => {
                (interface.bind)(&mut instance, *part)?;
                match plain_name {
                    Some(name) => bindings::narrow(interface, &mut instance, *part, name),
                    None => Ok(()),
                }
            }
            ImportSource::Call(link) => links::bind_stub(&mut instance, link),
            ImportSource::Direct(link) => links::typed::bind_all(&mut instance, link),
            ImportSource::Concurrent(functions) => {
                links::async_calls::bind_all(&mut instance, functions)
            }
        }
    }

    /// True if its functions copy whole values from a guest, and not headers, pieces of bodies or
    /// lines of a log.
    pub(super) fn copies_values(&self) -> bool {
        match &self.source {
            ImportSource::Hosted { interface, .. } => interface.path.starts_with("wasi:keyvalue/"),
            ImportSource::Call(_) | ImportSource::Direct(_) | ImportSource::Concurrent(_) => true,
        }
    }
}

/// Finds the implementation of each import.
///
/// # Errors
/// If parts that share a provider's handles have different bindings.
pub(super) fn bind(
    imports: Vec<FusedImport>,
    input: &AppInput,
    group: &FusionGroup,
    links: &GroupLinks,
) -> Result<Box<[HostImport]>, PrepareError> {
    let mut bound = Vec::new();
    for import in imports {
        let Some(source) = source(&import, input, group, links)? else {
            continue;
        };
        let name = import.name.into();
        bound.push(HostImport { name, source });
    }
    Ok(bound.into())
}

/// Returns `None` for an interface that has only types; `resolve` has checked all others.
fn source(
    import: &FusedImport,
    input: &AppInput,
    group: &FusionGroup,
    GroupLinks(links): &GroupLinks,
) -> Result<Option<ImportSource>, PrepareError> {
    let stub_link = |part: usize| {
        let crossing = group.crossing_of_stub(part)?;
        links.get(crossing).cloned()
    };
    if let ImportOwner::Part(part) = import.owner {
        match import.original.as_str() {
            CALL_INTERFACE => return Ok(stub_link(part).map(ImportSource::Call)),
            DIRECT_INTERFACE => return Ok(stub_link(part).map(ImportSource::Direct)),
            concurrent => {
                if let Some(crossing) = group.crossing_of_import(part, concurrent) {
                    let functions = links[crossing].functions.iter();
                    let functions = functions.filter(|function| *function.interface == *concurrent);
                    return Ok(Some(ImportSource::Concurrent(functions.cloned().collect())));
                }
            }
        }
    }
    let interface = interface(import, input, group);
    let name = interface.parse::<InterfaceName>();
    let Some(hosted) = name.ok().and_then(|name| bindings::find(&name)) else {
        return Ok(None);
    };
    let has_plain_name = *interface != *import.original;
    Ok(Some(ImportSource::Hosted {
        interface: hosted,
        part: owner(import, interface, input, group)?,
        plain_name: has_plain_name.then(|| import.original.as_str().into()),
    }))
}

/// The interface of an import: that which a plain name implements, else the name.
fn interface<'a>(import: &'a FusedImport, input: &'a AppInput, group: &FusionGroup) -> &'a str {
    let part = match &import.owner {
        ImportOwner::Part(part) => Some(part),
        ImportOwner::Shared(parts) => parts.first(),
    };
    // Stubs and skeletons have no imports with plain names.
    let component = part.and_then(|part| group.parts.get(*part));
    let binary = component.and_then(|component| input.binaries.get(input.name(*component)));
    let mut imports = binary.into_iter().flat_map(|it| &it.description.imports);
    let imported = imports.find(|imported| imported.name == import.original);
    imported
        .and_then(|imported| imported.implements.as_deref())
        .unwrap_or(&import.original)
}

/// The index of the part whose identity the import has.
fn owner(
    import: &FusedImport,
    interface: &str,
    input: &AppInput,
    group: &FusionGroup,
) -> Result<usize, PrepareError> {
    let parts = match &import.owner {
        ImportOwner::Part(part) => return Ok(*part),
        ImportOwner::Shared(parts) => parts,
    };
    // Stubs and skeletons import types at most, and have no identity.
    let parts = || parts.iter().filter(|part| **part < group.parts.len());
    let first = parts().next().copied().unwrap_or(0);
    let differs =
        |part: &usize| !input.same_bindings(group.parts[first], group.parts[*part], interface);
    if bindings::is_private(interface) && parts().any(differs) {
        let names: Vec<_> = parts()
            .map(|part| format!("`{}`", input.name(group.parts[*part])))
            .collect();
        return Err(PrepareError::SharedDiffers {
            interface: interface.to_owned(),
            parts: names.join(", "),
        });
    }
    Ok(first)
}
