//! The function of a call: its name as written, and the export that the name means.

use std::fmt::{self, Display, Formatter};

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};
use weft_lattice_config::{InterfaceName, InterfaceRef, nearest};

use super::CallError;
use super::signature::Parameter;
use crate::endpoint::Endpoint;
use crate::links::SERVE_INTERFACE;

/// The longest name that is parsed.
const NAME_BYTES_MAX: usize = 1 << 10;

/// The name of a function: `ns:pkg/iface[@version].func`, `name.func` for an interface with a plain
/// name, or `func` for a function of the component itself or of one of its interfaces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FunctionName<'a> {
    interface: Option<Interface<'a>>,
    pub(super) function: &'a str,
}

/// An exported interface, as the name of a function has it.
#[derive(Debug, PartialEq, Eq)]
enum Interface<'a> {
    Named(InterfaceRef),
    Plain(&'a str),
}

/// An exported function.
pub(super) struct Function {
    pub(super) index: ComponentExportIndex,
    pub(super) types: ComponentFunc,
}

impl Interface<'_> {
    /// True for the export with this name.
    fn matches(&self, export: &str) -> bool {
        match self {
            Self::Named(interface) => {
                let name = export.parse::<InterfaceName>();
                name.is_ok_and(|name| interface.matches(&name))
            }
            Self::Plain(name) => *name == export,
        }
    }
}

impl Display for Interface<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(interface) => interface.fmt(out),
            Self::Plain(name) => out.write_str(name),
        }
    }
}

impl Display for FunctionName<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(out, "{interface}.")?;
        }
        out.write_str(self.function)
    }
}

impl<'a> FunctionName<'a> {
    /// Parses a name.
    ///
    /// # Errors
    /// The reason for which the text is not the name of a function.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if text.len() > NAME_BYTES_MAX {
            return Err(format!("a name longer than {NAME_BYTES_MAX} bytes"));
        }
        // The last dot separates them: versions contain dots, names of functions do not.
        let (interface, function) = match text.rsplit_once('.') {
            Some((interface, function)) => (Some(interface), function),
            None => (None, text),
        };
        if function.is_empty() {
            return Err("expected the name of a function, found nothing".to_owned());
        }
        let interface = interface.map(|interface| match interface.contains([':', '/']) {
            true => match interface.parse() {
                Ok(interface) => Ok(Interface::Named(interface)),
                Err(error) => Err(format!("{error}")),
            },
            false => Ok(Interface::Plain(interface)),
        });
        Ok(Self {
            interface: interface.transpose()?,
            function,
        })
    }
}

impl Function {
    /// Finds the exported function that a name means.
    ///
    /// # Errors
    /// If the component does not export it, or several interfaces have it.
    pub(super) fn find(
        endpoint: &Endpoint,
        component: &Component,
        name: &FunctionName<'_>,
    ) -> Result<Self, CallError> {
        let mut candidates = candidates(component, name);
        if candidates.len() > 1 {
            let several = candidates
                .iter()
                .filter_map(|(parent, _)| parent.as_deref());
            return Err(CallError::Ambiguous {
                function: name.function.to_owned(),
                interfaces: quoted(several),
            });
        }
        let Some((parent, types)) = candidates.pop() else {
            return Err(missing(endpoint, component, name));
        };
        let parent = parent.and_then(|parent| component.get_export_index(None, &parent));
        match component.get_export_index(parent.as_ref(), name.function) {
            Some(index) => Ok(Self { index, types }),
            None => Err(missing(endpoint, component, name)),
        }
    }

    /// The parameters, in their order.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let parameters = self.types.params();
        let parameters = parameters.map(|(name, ty)| Parameter {
            name: name.to_owned(),
            ty,
        });
        parameters.collect()
    }
}

/// The exported functions that a name may mean, each with the name of its interface. Without an
/// interface, a function of the component itself comes before those of interfaces.
fn candidates(
    component: &Component,
    name: &FunctionName<'_>,
) -> Vec<(Option<String>, ComponentFunc)> {
    let engine = component.engine();
    let component_type = component.component_type();
    let mut candidates = Vec::new();
    for (export, item) in component_type.exports(engine) {
        match (&name.interface, item.ty) {
            (None, item @ ComponentItem::ComponentFunc(_)) if export == name.function => {
                return function_type(item)
                    .map(|function| (None, function))
                    .into_iter()
                    .collect();
            }
            (requested, ComponentItem::ComponentInstance(instance)) => {
                let matches = requested
                    .as_ref()
                    .is_none_or(|requested| requested.matches(export));
                let function = instance.get_export(engine, name.function);
                if matches && let Some(function) = function.and_then(|it| function_type(it.ty)) {
                    candidates.push((Some(export.to_owned()), function));
                }
            }
            _ => {}
        }
    }
    candidates
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted = names.map(|name| format!("`{name}`"));
    quoted.collect::<Vec<_>>().join(", ")
}

fn function_type(item: ComponentItem) -> Option<ComponentFunc> {
    match item {
        ComponentItem::ComponentFunc(function) => Some(function),
        _ => None,
    }
}

/// The error for a function that the component does not export, with those that it exports.
fn missing(endpoint: &Endpoint, component: &Component, name: &FunctionName<'_>) -> CallError {
    let engine = component.engine();
    let component_type = component.component_type();
    let mut exports = Vec::new();
    // The skeleton of links is not of the component's author.
    let written = component_type.exports(engine);
    for (export, item) in written.filter(|(export, _)| *export != SERVE_INTERFACE) {
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                let functions = instance.exports(engine).filter_map(|(function, item)| {
                    function_type(item.ty).map(|_| format!("{export}.{function}"))
                });
                exports.extend(functions);
            }
            ComponentItem::ComponentFunc(_) => exports.push(export.to_owned()),
            _ => {}
        }
    }
    CallError::NoFunction {
        component: endpoint.component().to_owned(),
        function: name.to_string(),
        similar: similar(name.function, &exports).map(str::to_owned),
        exports: match exports.is_empty() {
            true => "none".to_owned(),
            false => quoted(exports.iter().map(String::as_str)),
        },
    }
}

/// The export whose function has nearly the name that was written.
fn similar<'a>(written: &str, exports: &'a [String]) -> Option<&'a str> {
    let function = |export: &'a str| export.rsplit_once('.').map_or(export, |(_, name)| name);
    let nearest = nearest(written, exports.iter().map(|export| function(export)))?;
    let similar = exports.iter().find(|export| function(export) == nearest);
    similar.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_interface_and_function() {
        let cases = [
            ("shop:catalog/pricing.quote", "quote"),
            ("shop:catalog/pricing@0.1.0.quote", "quote"),
            ("primary.quote", "quote"),
            ("run", "run"),
        ];
        for (text, function) in cases {
            let name = FunctionName::parse(text).unwrap();
            assert_eq!(name.function, function);
            assert_eq!(name.to_string(), text);
        }
        let plain = FunctionName::parse("primary.quote").unwrap();
        assert_eq!(plain.interface, Some(Interface::Plain("primary")));
    }

    #[test]
    fn text_that_names_no_function_is_rejected() {
        for text in ["", "a:b/c.", "Bad Name/x.f", &"f".repeat(2000)] {
            assert!(FunctionName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_the_export_with_its_interface() {
        let exports = ["shop:catalog/pricing.find", "run"].map(str::to_owned);
        assert_eq!(similar("fnd", &exports), Some("shop:catalog/pricing.find"));
        assert_eq!(similar("rum", &exports), Some("run"));
        assert_eq!(similar("place", &exports), None);
    }
}
