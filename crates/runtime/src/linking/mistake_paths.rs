//! Paths of mistakes in an app.

/// The path of a component.
pub(crate) fn component_path(index: usize) -> String {
    format!("spec.components[{index}]")
}

/// The path of a link.
pub(crate) fn link_path(index: usize) -> String {
    format!("spec.links[{index}]")
}

/// The path of a route.
pub(crate) fn route_path(index: usize) -> String {
    format!("spec.routes[{index}]")
}
