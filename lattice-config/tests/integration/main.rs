//! Tests of the public API.

mod diagnostics;
mod diff;
mod examples;
mod golden;
mod hostile;
mod interface;
mod links;
mod model;
mod placement;
mod routes;
mod schema;
mod stored;
mod templates;

use weft_lattice_config::App;

/// Reads a manifest with this `spec`, which may have mistakes.
fn try_app(spec: &str) -> Result<App, weft_lattice_config::ManifestErrors> {
    let head = "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {name: shop}\nspec:\n";
    App::from_yaml("shop.yaml", &format!("{head}{spec}"))
}

/// Reads a manifest with this valid `spec`.
fn app(spec: &str) -> App {
    try_app(spec).unwrap_or_else(|errors| panic!("{errors}"))
}
