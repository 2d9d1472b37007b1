//! Decides for each function of a set of interfaces how it crosses between stores.
//!
//! The set is what one importer has of one target, or what others reach of one exporter. Nothing is
//! generated here: a [`Plan`] says what has to be, and what cannot be carried is a [`Refusal`] with the
//! function and the type named, so that a deploy can say it.

mod failure;
mod pair;
mod refusal;
mod signature;
mod survey;
mod text;
mod view;
mod walk;

use wit_parser::{Function, FunctionKind, InterfaceId, Resolve};

pub use pair::Unserved;
pub use refusal::{Reason, Refusal};
pub use signature::{Kind, MAX_DIRECT_PARAMS, MAX_SCALARS, Outcome, Scalars, Signature};
pub use view::{View, ViewError};

use survey::{Item, Survey};

/// How the functions of a set of interfaces cross between stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces, in the order in which they were named.
    pub interfaces: Vec<PlannedInterface>,
    /// What an exporter has and no link can carry. It matters to those alone who import it. Always empty in
    /// the plan of an importer, which is refused instead.
    pub left_out: Vec<Refusal>,
}

/// An interface of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedInterface {
    /// The name of the import or export in the component.
    pub name: String,
    /// The interface in the [`View`].
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
    pub path: Path,
    /// Whether it is an `async func`. A concurrent interface may have others.
    pub is_async: bool,
    /// How the caller learns that a call has failed.
    pub failure: FailureForm,
    /// The function as WIT, for messages: `total: func(items: list<item>) -> u32`.
    pub text: String,
}

/// How a call crosses between stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// As a typed function of the host, typed call of the export.
    Direct(Signature),
    /// As numbers in generated code, where nothing lies between the two stores; else as for [`Path::Stub`].
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

impl Path {
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
    view: &View,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Plan, Vec<Refusal>> {
    let world = &view.resolve.worlds[view.world];
    let survey = Survey::new(&view.resolve, &world.imports, names)?;
    let mut refusals = survey.ambiguous();
    let mut numbering = Numbering::new(view);
    let mut interfaces = Vec::new();
    for item in survey.items() {
        let concurrent = survey.concurrent(item);
        if let Some(concurrent) = concurrent {
            refusals.extend(survey.idle_resources(item, concurrent));
        }
        let mut functions = Vec::new();
        for function in item.interface.functions.values() {
            match survey.classify(item, function, concurrent, is_direct) {
                Ok(_) if concurrent.is_some() => {
                    functions.push(numbering.planned(function, Path::Concurrent));
                }
                Ok(path) => functions.push(numbering.planned(function, path)),
                Err(reasons) => refusals.extend(reasons),
            }
        }
        interfaces.push(item.planned(&survey, concurrent.is_some(), functions));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(Plan {
        interfaces,
        left_out: Vec::new(),
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
/// [`Plan::left_out`].
pub fn exports(
    view: &View,
    names: &[&str],
    is_direct: &dyn Fn(&Signature) -> bool,
) -> Result<Plan, Vec<Refusal>> {
    let world = &view.resolve.worlds[view.world];
    let survey = Survey::new(&view.resolve, &world.exports, names)?;
    let ambiguous = survey.ambiguous();
    if !ambiguous.is_empty() {
        return Err(ambiguous);
    }
    let mut plan = Plan {
        interfaces: Vec::new(),
        left_out: Vec::new(),
    };
    let mut numbering = Numbering::new(view);
    for item in survey.items() {
        let mut functions = Vec::new();
        for function in item.interface.functions.values() {
            let is_concurrent = survey.is_concurrent(function);
            let concurrent = is_concurrent.then_some(function.name.as_str());
            match survey.classify(item, function, concurrent, is_direct) {
                Ok(path) => functions.push(numbering.planned(function, path)),
                Err(reasons) => plan.left_out.extend(reasons),
            }
        }
        let concurrent = survey.concurrent(item).is_some();
        plan.interfaces
            .push(item.planned(&survey, concurrent, functions));
    }
    Ok(plan)
}

impl Item<'_> {
    fn planned(
        &self,
        survey: &Survey<'_>,
        concurrent: bool,
        functions: Vec<PlannedFunction>,
    ) -> PlannedInterface {
        PlannedInterface {
            name: self.name.to_owned(),
            id: self.id,
            concurrent,
            resources: survey.has_resources(self),
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
    fn new(view: &'a View) -> Self {
        Self {
            resolve: &view.resolve,
            next: 0,
        }
    }

    fn planned(&mut self, function: &Function, path: Path) -> PlannedFunction {
        let index = self.next;
        // The bound on the size of a component keeps this far below the end of the range.
        self.next = index.saturating_add(1);
        PlannedFunction {
            name: function.name.clone(),
            index,
            path,
            is_async: is_async(&function.kind),
            failure: failure::form(self.resolve, function),
            text: text::function(self.resolve, function),
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
