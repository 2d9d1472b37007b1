//! Decides for each function of a set of interfaces how it crosses between stores.
//!
//! The set is what one importer has of one target, or what others reach of one exporter. Nothing is
//! generated here: a [`Plan`] says what has to be, and what cannot be carried is a [`Unsupported`] with the
//! function and the type named, so that a deploy can say it.

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
pub use signature::{Kind, MAX_DIRECT_PARAMS, MAX_SCALARS, Outcome, Scalars, Signature};
pub use unsupported::{Reason, Unsupported};

use interfaces::{InterfaceSet, NamedInterface};

/// How the functions of a set of interfaces cross between stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces, in the order in which they were named.
    pub interfaces: Vec<PlannedInterface>,
    /// What an exporter has and no link can carry. It matters to those alone who import it. Always empty in
    /// the plan of an importer, which is refused instead.
    pub unsupported: Vec<Unsupported>,
}

/// An interface of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedInterface {
    /// The name of the import or export in the component.
    pub name: String,
    /// The interface in the [`ComponentWorld`].
    pub id: InterfaceId,
    /// Whether a function of it is concurrent. At the importer's side all of them are then, and the host
    /// defines the whole instance.
    pub concurrent: bool,
    /// Whether it defines resources.
    pub resources: bool,
    /// The functions that can cross, in the order of the interface.
    pub functions: Vec<PlannedFunction>,
}

impl PlannedInterface {
    /// Whether generated code carries calls of it.
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
    /// The number of the function, which is private to this plan.
    pub index: u32,
    /// How a call crosses.
    pub path: CallPath,
    /// Whether it is an `async func`. A concurrent interface may have others.
    pub is_async: bool,
    /// How the caller learns that a call has failed.
    pub failure: FailureForm,
    /// The function as WIT, for messages: `total: func(items: list<item>) -> u32`.
    pub text: String,
}

/// How a call crosses between stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallPath {
    /// As a typed function of the host, typed call of the export.
    Direct(Signature),
    /// As numbers in generated code, where nothing lies between the two stores; else as for [`CallPath::Stub`].
    Scalars(Scalars),
    /// As bytes that generated code makes and reads.
    Stub,
    /// Through the concurrent interface of the runtime.
    Concurrent,
}

/// How the caller of a function learns that a call over a link has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureForm {
    /// The result cannot say it: the caller traps.
    Trap,
    /// The result is `result<_, string>`: the error is the message.
    Text,
    /// The result is `result<_, E>`, of which `E` has a case `link-failure(string)`.
    Case {
        /// The place of that case.
        index: u32,
    },
}

impl CallPath {
    /// Whether generated code carries the call.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        matches!(self, Self::Scalars(_) | Self::Stub)
    }
}

impl Plan {
    /// The interface of this name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&PlannedInterface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// The function of this name, in the interface of this name.
    #[must_use]
    pub fn find(&self, interface: &str, function: &str) -> Option<&PlannedFunction> {
        let functions = &self.interface(interface)?.functions;
        functions.iter().find(|planned| planned.name == function)
    }

    /// Whether handles of resources may cross.
    #[must_use]
    pub fn has_resources(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.resources)
    }

    /// All functions with their interfaces, by their indices.
    pub fn functions(&self) -> impl Iterator<Item = (&PlannedInterface, &PlannedFunction)> {
        self.interfaces.iter().flat_map(|interface| {
            let functions = interface.functions.iter();
            functions.map(move |function| (interface, function))
        })
    }
}

/// Plans the calls of an importer: `names` are its imports of one target.
///
/// `is_direct` says which signatures the host has a typed function for.
///
/// # Errors
///
/// Says all that links between stores cannot carry: types without an encoding, resources of interfaces
/// that are not of the set, resources beside concurrent functions. Fails too for a name that is no import,
/// or no interface.
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

/// Plans what is served of an exporter: `names` are those of its exports that others reach.
///
/// Functions are taken one by one: an importer that uses but a part of an interface may have no concurrent
/// function of it, and reach the others by a stub.
///
/// # Errors
///
/// Fails for a name that is no export, or no interface. What cannot be carried is in
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

/// Numbers functions in the order in which they are planned.
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
        // The bound on the size of a component keeps this far below the end of the range.
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

/// Whether a function is `async`.
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
