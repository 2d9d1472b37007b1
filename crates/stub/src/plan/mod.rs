//! Chooses for each function of a set of interfaces the way a call crosses between stores.
//!
//! The set is the imports of one importer that one target serves, or the exports of one exporter
//! that others import. No code is generated here: a [`Plan`] describes the work, and an
//! [`Unsupported`] names the function and the type that a link cannot carry, for the deploy's
//! error.

mod component_world;
mod failure_form;
mod interfaces;
mod match_functions;
mod signature;
mod type_walk;
mod unsupported;
mod wit_text;

use wit_parser::{Function, FunctionKind, InterfaceId, Resolve};

pub use component_world::{ComponentWorld, WorldError};
pub use match_functions::MatchError;
pub(crate) use signature::scalar_type;
pub use signature::{MAX_DIRECT_PARAMS, MAX_SCALARS, Outcome, Scalars, Signature};
pub use unsupported::{Reason, Unsupported};

use interfaces::{InterfaceSet, NamedInterface};

/// The call paths of the functions of a set of interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces, in the order in which they were named.
    pub interfaces: Vec<PlannedInterface>,
    /// Functions of an exporter that no link can carry. They matter only to components that import
    /// them. Always empty for an importer, as [`imports`] fails instead.
    pub unsupported: Vec<Unsupported>,
}

/// An interface of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedInterface {
    /// The name of the import or export in the component.
    pub name: String,
    /// The interface in the [`ComponentWorld`].
    pub id: InterfaceId,
    /// True if a function of the interface is concurrent. Then the host defines the whole instance
    /// for an importer.
    pub concurrent: bool,
    /// True if the interface defines resources.
    pub resources: bool,
    /// The supported functions, in the order of the interface.
    pub functions: Vec<PlannedFunction>,
}

impl PlannedInterface {
    /// True if generated code carries any call of the interface.
    #[must_use]
    pub fn has_generated(&self) -> bool {
        let mut functions = self.functions.iter();
        functions.any(|function| function.path.is_generated())
    }
}

/// A function of a [`PlannedInterface`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFunction {
    /// The name in the interface: `total`, `[method]basket.add`.
    pub name: String,
    /// The number of the function in this plan.
    pub index: u32,
    /// The way a call crosses.
    pub path: CallPath,
    /// True for an `async func`. A concurrent interface may have others.
    pub is_async: bool,
    /// The form in which the caller receives a failed call.
    pub failure: FailureForm,
    /// The function as WIT, for messages: `total: func(items: list<item>) -> u32`.
    pub text: String,
}

/// The way a call crosses between stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallPath {
    /// A typed function of the host calls the export by its own types.
    Direct(Signature),
    /// As words if the link connects two stores of one host directly, else as
    /// [`CallPath::Stub`].
    Scalars(Scalars),
    /// As bytes that generated code encodes and decodes.
    Stub,
    /// Through the runtime's concurrent calls.
    Concurrent,
}

/// The form in which the caller of a function receives a failed call over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureForm {
    /// The result has no room for an error: the caller traps.
    Trap,
    /// The result is `result<_, string>`: the error is the message.
    Text,
    /// The result is `result<_, E>`, with a case `link-failure(string)` in `E`.
    Case {
        /// The index of that case.
        index: u32,
    },
}

impl CallPath {
    /// True if generated code carries the call.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        matches!(self, Self::Scalars(_) | Self::Stub)
    }
}

impl Plan {
    /// Finds an interface by name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&PlannedInterface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// Finds a function by the names of its interface and its own.
    #[must_use]
    pub fn find(&self, interface: &str, function: &str) -> Option<&PlannedFunction> {
        let functions = &self.interface(interface)?.functions;
        functions.iter().find(|planned| planned.name == function)
    }

    /// True if handles of resources may cross.
    #[must_use]
    pub fn has_resources(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.resources)
    }

    /// All functions with their interfaces, in the order of their indices.
    pub fn functions(&self) -> impl Iterator<Item = (&PlannedInterface, &PlannedFunction)> {
        self.interfaces.iter().flat_map(|interface| {
            let functions = interface.functions.iter();
            functions.map(move |function| (interface, function))
        })
    }
}

/// Plans the calls of an importer: `names` are its imports that one target serves.
///
/// `is_direct` returns whether the host has a typed function for a signature.
///
/// # Errors
///
/// Returns everything that links between stores do not support: types without an encoding,
/// resources of interfaces outside the set, resources beside concurrent functions. Also fails for a
/// name that is not an imported interface.
pub fn imports(
    component: &ComponentWorld,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Plan, Vec<Unsupported>> {
    let world = &component.resolve.worlds[component.world];
    let set = InterfaceSet::new(&component.resolve, &world.imports, names)?;
    let mut unsupported = set.defined_twice();
    let mut numbering = Numbering::new(component);
    let mut interfaces = Vec::new();
    for item in set.items() {
        let concurrent = set.concurrent(item);
        if let Some(concurrent) = concurrent {
            unsupported.extend(set.unused_resources(item, concurrent));
        }
        let mut functions = Vec::new();
        for function in item.interface.functions.values() {
            match set.classify(item, function, concurrent, is_direct) {
                Ok(_) if concurrent.is_some() => {
                    functions.push(numbering.planned(function, CallPath::Concurrent));
                }
                Ok(path) => functions.push(numbering.planned(function, path)),
                Err(found) => unsupported.extend(found),
            }
        }
        interfaces.push(item.planned(&set, concurrent.is_some(), functions));
    }
    if !unsupported.is_empty() {
        return Err(unsupported);
    }
    Ok(Plan {
        interfaces,
        unsupported: Vec::new(),
    })
}

/// Plans the calls that an exporter serves: `names` are its exports that other components import.
///
/// Each function is planned by itself: an importer of a part of an interface may have none of its
/// concurrent functions, and then calls the others through a stub.
///
/// # Errors
///
/// Fails for a name that is not an exported interface. Unsupported functions are in
/// [`Plan::unsupported`].
pub fn exports(
    component: &ComponentWorld,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Plan, Vec<Unsupported>> {
    let world = &component.resolve.worlds[component.world];
    let set = InterfaceSet::new(&component.resolve, &world.exports, names)?;
    let defined_twice = set.defined_twice();
    if !defined_twice.is_empty() {
        return Err(defined_twice);
    }
    let mut plan = Plan {
        interfaces: Vec::new(),
        unsupported: Vec::new(),
    };
    let mut numbering = Numbering::new(component);
    for item in set.items() {
        let mut functions = Vec::new();
        for function in item.interface.functions.values() {
            let is_concurrent = set.is_concurrent(function);
            let concurrent = is_concurrent.then_some(function.name.as_str());
            match set.classify(item, function, concurrent, is_direct) {
                Ok(path) => functions.push(numbering.planned(function, path)),
                Err(found) => plan.unsupported.extend(found),
            }
        }
        let concurrent = set.concurrent(item).is_some();
        plan.interfaces
            .push(item.planned(&set, concurrent, functions));
    }
    Ok(plan)
}

impl NamedInterface<'_> {
    fn planned(
        &self,
        set: &InterfaceSet<'_>,
        concurrent: bool,
        functions: Vec<PlannedFunction>,
    ) -> PlannedInterface {
        PlannedInterface {
            name: self.name.to_owned(),
            id: self.id,
            concurrent,
            resources: set.has_resources(self),
            functions,
        }
    }
}

/// Numbers functions in the order of planning.
struct Numbering<'a> {
    resolve: &'a Resolve,
    next: u32,
}

impl<'a> Numbering<'a> {
    fn new(component: &'a ComponentWorld) -> Self {
        Self {
            resolve: &component.resolve,
            next: 0,
        }
    }

    fn planned(&mut self, function: &Function, path: CallPath) -> PlannedFunction {
        let index = self.next;
        // The limit on the size of a component keeps this far below the end of the range.
        self.next = index.saturating_add(1);
        PlannedFunction {
            name: function.name.clone(),
            index,
            path,
            is_async: is_async(&function.kind),
            failure: failure_form::of(self.resolve, function),
            text: wit_text::function(self.resolve, function),
        }
    }
}

/// True for an `async` function.
fn is_async(kind: &FunctionKind) -> bool {
    match kind {
        FunctionKind::AsyncFreestanding
        | FunctionKind::AsyncMethod(_)
        | FunctionKind::AsyncStatic(_) => true,
        FunctionKind::Freestanding
        | FunctionKind::Method(_)
        | FunctionKind::Static(_)
        | FunctionKind::Constructor(_) => false,
    }
}
