//! The API of a route of a manifest, from the WIT that a deploy stored with its component.

use weft_json::Interface;
use weft_lattice_config::interface::newest_serving;
use weft_lattice_config::{
    ComponentSpec, InterfaceName, Mistake, PathPrefix, RouteSpec, WitSource,
};

use crate::api::Api;

impl Api {
    /// The API of a route to a component.
    ///
    /// # Errors
    /// All mistakes of the route, with their paths in it: also if it has no interface, or its
    /// component has no WIT text.
    pub fn of_route(route: &RouteSpec, component: &ComponentSpec) -> Result<Self, Vec<Mistake>> {
        let Some(requested) = &route.interface else {
            let message = "a route without `interface` is no API";
            return Err(vec![Mistake::new("interface", message)]);
        };
        let Some(WitSource::Text(wit)) = &component.wit else {
            let message = format!(
                "component `{}` has no WIT text, which says what `{requested}` is",
                component.name
            );
            let help = "deploy with `weft deploy`, which adds it, or give it as `wit` of the \
                        component";
            return Err(vec![Mistake::new("interface", message).with_help(help)]);
        };
        let text = requested.to_string();
        let interface = Interface::select(wit, &text, |names| {
            newest_serving(requested, names.iter().copied())
        });
        let interface =
            interface.map_err(|error| vec![Mistake::new("interface", error.to_string())])?;
        Self::new(route, &interface)
    }

    /// The API of an interface without a manifest: `POST /NAME` for each function. `name` is that
    /// of the interface.
    ///
    /// # Errors
    /// The functions that cannot be served.
    pub fn of_interface(name: &InterfaceName, interface: &Interface) -> Result<Self, Vec<Mistake>> {
        let component = "component".parse();
        let component = component.map_err(|_| vec![Mistake::new("to", "invalid name")])?;
        let mut route = RouteSpec::raw(None, PathPrefix::default(), component);
        route.interface = Some(name.clone());
        Self::new(&route, interface)
    }
}
