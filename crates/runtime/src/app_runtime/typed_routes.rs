//! Checks routes that serve an interface: their operations fit it, and its WIT is that of the
//! component.

use weft_api::Api;
use weft_json::Interface;
use weft_lattice_config::mistake_paths::{component_path, route_path};
use weft_lattice_config::{ComponentSpec, Mistake, Mistakes, RouteSpec, WitSource};

use crate::linking::{AppInput, TypedRoute};

/// Checks the routes whose components are readable. Returns all mistakes.
pub(super) fn check(input: &AppInput, routes: &[TypedRoute]) -> Mistakes {
    let spec = &input.app.spec;
    let mut mistakes = Mistakes::default();
    for typed in routes {
        let (route, component) = (&spec.routes[typed.route], &spec.components[typed.to]);
        let at = |path: &str| format!("{}.{path}", route_path(typed.route));
        match Api::of_route(route, component) {
            Ok(api) => {
                for mistake in unserved(route, &api) {
                    mistakes.push(mistake_at(mistake, &at));
                }
                if let Err(message) = check_wit(input, component, &typed.export) {
                    let path = format!("{}.wit", component_path(typed.to));
                    let help = "build the component from this WIT, or correct `wit`";
                    mistakes.push(Mistake::new(path, message).with_help(help));
                }
            }
            Err(found) => {
                for mistake in found {
                    mistakes.push(mistake_at(mistake, &at));
                }
            }
        }
    }
    mistakes
}

/// The mistake with the path of its route in front.
fn mistake_at(mistake: Mistake, at: &impl Fn(&str) -> String) -> Mistake {
    Mistake {
        path: at(&mistake.path),
        ..mistake
    }
}

/// The operations with streams that no body carries.
fn unserved(route: &RouteSpec, api: &Api) -> Vec<Mistake> {
    let operations = api.operations().iter().enumerate();
    let refused = operations.filter_map(|(index, operation)| {
        let reason = operation.unserved_stream()?;
        let path = match route.operations.is_empty() {
            true => "interface".to_owned(),
            false => format!("operations[{index}].func"),
        };
        let message = format!("`{}` {reason}", operation.function());
        let help = "serve it by a component that handles HTTP itself, with a route without \
                    `interface`";
        Some(Mistake::new(path, message).with_help(help))
    });
    refused.collect()
}

/// Compares the WIT of a manifest with the types of the component.
fn check_wit(input: &AppInput, component: &ComponentSpec, export: &str) -> Result<(), String> {
    let (Some(WitSource::Text(wit)), Some(binary)) =
        (&component.wit, input.binaries.get(component.name.as_str()))
    else {
        return Ok(());
    };
    let declared = Interface::select_bare(wit, export, |names| {
        names.iter().copied().find(|name| *name == export)
    });
    let declared = declared.map_err(|error| error.to_string())?;
    let built = weft_compose::interface_wit(&binary.bytes, &[export]);
    let Some(built) = built.map_err(|error| error.to_string())? else {
        return Err(format!(
            "component `{}` does not export `{export}`",
            component.name
        ));
    };
    let built = Interface::select_bare(&built, export, |names| {
        names.iter().copied().find(|name| *name == export)
    });
    let built = built.map_err(|error| error.to_string())?;
    if declared == built {
        return Ok(());
    }
    let differs = |name: &str| declared.function(name) != built.function(name);
    let functions = declared.functions.iter().chain(built.functions.iter());
    let mut functions: Vec<_> = functions
        .map(|function| function.name.as_str())
        .filter(|name| differs(name))
        .collect();
    functions.sort_unstable();
    functions.dedup();
    Err(format!(
        "the WIT of component `{}` and its binary have different types of `{export}`: see {}",
        component.name,
        functions.join(", ")
    ))
}
