//! An HTTP API: the operations of a route to an interface.

use std::collections::BTreeSet;

use weft_json::{Function, Int64, Interface, Names, Settings};
use weft_lattice_config::template::{Method, PathTemplate, RequestTemplate, Segment};
use weft_lattice_config::{
    Int64Form, Mistake, NameStyle, OperationSpec, PathPrefix, RouteSpec, WitName,
};

use crate::faces::Faces;
use crate::mistakes::MistakesAt;
use crate::operation::Operation;
use crate::outcome::errors;
use crate::socket::MessageKind;

/// An HTTP API of a WIT interface.
///
/// ```
/// use weft_api::Api;
/// use weft_json::Interface;
/// use weft_lattice_config::App;
///
/// let wit = "package shop:catalog@0.1.0;
///     interface orders { get: func(id: u64) -> option<string>; }";
/// let orders = Interface::from_text(wit, "shop:catalog/orders@0.1.0")?;
/// let app = App::from_yaml("shop.yaml", "
/// apiVersion: weft.dev/v1alpha1
/// kind: App
/// metadata: {name: shop}
/// spec:
///   components: [{name: orders, source: {file: orders.wasm}}]
///   routes:
///   - to: orders
///     path: /api
///     interface: shop:catalog/orders
///     operations: [{func: get, as: 'GET /orders/{id}'}]
/// ")?;
/// let api = Api::new(&app.spec.routes[0], &orders).expect("no mistakes");
/// let path = api.below("/api/orders/7").expect("a path of the route");
/// let matched = api.find(&http::Method::GET, path).expect("an operation");
/// assert_eq!(matched.operation.function(), "get");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    interface: Interface,
    prefix: PathPrefix,
    operations: Vec<Operation>,
    faces: Faces,
    settings: Settings,
}

impl Api {
    /// The API of a route to an interface.
    ///
    /// # Errors
    /// All mistakes of the route, with their paths in it.
    pub fn new(route: &RouteSpec, interface: &Interface) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let settings = settings(route);
        let operations = match route.operations.is_empty() {
            true => implied_operations(route, settings, interface, &mut mistakes),
            false => listed_operations(route, settings, interface, &mut mistakes),
        };
        // An operation without its function may be the one that has an error type.
        let functions: Vec<_> = match operations.len() < route.operations.len() {
            true => interface.functions.iter().collect(),
            false => operations.iter().map(|it| &it.function).collect(),
        };
        errors::check(&route.errors, functions.into_iter(), &mut mistakes);
        let faces = Faces::new(route, &operations, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self {
            interface: interface.clone(),
            prefix: route.path.clone(),
            operations,
            faces,
            settings,
        })
    }

    /// The interface.
    #[must_use]
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// The path of the route.
    #[must_use]
    pub fn prefix(&self) -> &PathPrefix {
        &self.prefix
    }

    /// The operations, in the order of the manifest, or else of the interface.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The faces.
    #[must_use]
    pub fn faces(&self) -> &Faces {
        &self.faces
    }

    /// The form of values.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }
}

fn settings(route: &RouteSpec) -> Settings {
    Settings {
        names: match route.names {
            NameStyle::Camel => Names::Camel,
            NameStyle::Kebab => Names::Kebab,
        },
        int64: match route.int64 {
            Int64Form::Number => Int64::Number,
            Int64Form::String => Int64::String,
        },
    }
}

fn listed_operations(
    route: &RouteSpec,
    settings: Settings,
    interface: &Interface,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Operation> {
    let specs = route.operations.iter().enumerate();
    let operations = specs.filter_map(|(index, spec)| {
        let mut mistakes = MistakesAt::new(mistakes, format!("operations[{index}]"));
        let function = function(interface, &spec.func, &mut mistakes)?;
        let of = (&interface.name, function);
        Some(Operation::bind((route, settings), spec, of, &mut mistakes))
    });
    operations.collect()
}

fn function<'i>(
    interface: &'i Interface,
    name: &WitName,
    mistakes: &mut MistakesAt<'_>,
) -> Option<&'i Function> {
    let found = interface.function(name.as_str());
    if found.is_some() {
        return found;
    }
    let mut unsupported = interface.unsupported.iter();
    if let Some(error) = unsupported.find(|error| *error.function == *name.as_str()) {
        mistakes.add("func", error.to_string());
        return None;
    }
    let functions = interface.functions.iter();
    let known: Vec<_> = functions.map(|function| function.name.as_str()).collect();
    let message = format!("unknown function `{name}` of `{}`", interface.name);
    mistakes.add_unknown("func", message, name.as_str(), &known);
    None
}

/// The operations of a route without any: `POST /NAME` for each function, or `GET /NAME` for a
/// WebSocket.
fn implied_operations(
    route: &RouteSpec,
    settings: Settings,
    interface: &Interface,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Operation> {
    let mut mistakes = MistakesAt::implied(mistakes, "interface");
    let mut seen = BTreeSet::new();
    for error in interface.unsupported.iter() {
        if seen.insert(&error.function) {
            let help = "list the other functions in `operations`";
            mistakes.add_with_help("", error.to_string(), help);
        }
    }
    let operations = interface.functions.iter().filter_map(|function| {
        let spec = implied_operation(function)?;
        let of = (&interface.name, function);
        let mut mistakes = mistakes.operation(&function.name);
        Some(Operation::bind((route, settings), &spec, of, &mut mistakes))
    });
    operations.collect()
}

/// `None` for a name that WIT does not allow.
fn implied_operation(function: &Function) -> Option<OperationSpec> {
    let path = PathTemplate {
        segments: vec![Segment::Literal(function.name.clone())],
        rest: None,
    };
    Some(OperationSpec {
        func: function.name.parse().ok()?,
        request: RequestTemplate {
            method: match MessageKind::of_function(function) {
                Some(_) => Method::Get,
                None => Method::Post,
            },
            path,
            query: Vec::new(),
        },
        ok: None,
        location: None,
        headers: Default::default(),
        body: None,
    })
}
