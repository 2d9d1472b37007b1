//! The paths of mistakes in an app, by the index in the list of the manifest.

/// The path of a component.
#[must_use]
pub fn component_path(index: usize) -> String {
    format!("spec.components[{index}]")
}

/// The path of a link.
#[must_use]
pub fn link_path(index: usize) -> String {
    format!("spec.links[{index}]")
}

/// The path of a provider.
#[must_use]
pub fn provider_path(index: usize) -> String {
    format!("spec.providers[{index}]")
}

/// The path of a route.
#[must_use]
pub fn route_path(index: usize) -> String {
    format!("spec.routes[{index}]")
}
