//! Changes to the HTTP APIs of deployed apps that break their clients.

use weft_api::{Api, breaking_changes};
use weft_control::Client;
use weft_lattice_config::{App, RouteSpec};

use crate::failure::{Failure, Kind, Plain};
use crate::manifest::Manifest;
use crate::output;

/// The changes to each route of an app that serves an interface, as sentences with the route.
fn changes(old: &App, new: &App) -> Vec<String> {
    let mut all = Vec::new();
    for route in old.spec.routes.iter().filter(|it| it.interface.is_some()) {
        let pattern = route.pattern();
        let mut routes = new.spec.routes.iter();
        let successor = routes.find(|it| it.pattern() == pattern && it.interface.is_some());
        let Some(successor) = successor else {
            all.push(format!("removed the API `{pattern}`"));
            continue;
        };
        // The host reports the mistakes of a route that is no API.
        if let (Some(old), Some(new)) = (api(old, route), api(new, successor)) {
            let changes = breaking_changes(&old, &new);
            all.extend(changes.iter().map(|it| format!("`{pattern}`: {it}")));
        }
    }
    all
}

fn api(app: &App, route: &RouteSpec) -> Option<Api> {
    let mut components = app.spec.components.iter();
    let component = components.find(|component| component.name == route.to)?;
    Api::of_route(route, component).ok()
}

/// Compares the APIs of manifests with those of the deployed apps. With `accepted`, the changes are
/// only printed.
///
/// # Errors
/// A change breaks clients.
pub(crate) async fn check(
    client: &Client,
    manifests: impl Iterator<Item = &Manifest>,
    accepted: bool,
) -> Result<(), Failure> {
    let mut messages = Vec::new();
    for manifest in manifests {
        let has_api = |app: &App| app.spec.routes.iter().any(|it| it.interface.is_some());
        // A new app has no clients; of another error the deploy reports the reason.
        let Ok(record) = client.app(&manifest.app.metadata.name).await else {
            continue;
        };
        if !has_api(&record.app) {
            continue;
        }
        for change in changes(&record.app, &manifest.app) {
            let app = &manifest.app.metadata.name;
            let message = format!("a change of app `{app}` breaks clients: {change}");
            match accepted {
                true => output::note(&format!("warning: {message}")),
                false => messages.push(Plain::new(message).into()),
            }
        }
    }
    if messages.is_empty() {
        return Ok(());
    }
    let help = "keep what clients use, or deploy with `--breaking`";
    Err(Failure::all(Kind::Input, messages).or_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(routes: &str, result: &str) -> App {
        let text = format!(
            "apiVersion: weft.dev/v1alpha1\n\
             kind: App\n\
             metadata: {{name: shop}}\n\
             spec:\n\
             \x20 components:\n\
             \x20 - name: orders\n\
             \x20   source: {{file: orders.wasm}}\n\
             \x20   wit: |\n\
             \x20     package shop:catalog@0.1.0;\n\
             \x20     interface orders {{\n\
             \x20       record order {{ {result} }}\n\
             \x20       get: func(id: u64) -> order;\n\
             \x20     }}\n\
             \x20 routes: {routes}\n"
        );
        App::from_yaml("shop.yaml", &text).unwrap()
    }

    #[test]
    fn a_removed_field_and_a_removed_route_are_named_and_a_new_field_is_not() {
        let typed = "[{path: /api, to: orders, interface: 'shop:catalog/orders'}]";
        let raw = "[{path: /api, to: orders}]";
        let old = app(typed, "id: u64, total: u32");
        for (new, expected) in [
            (app(typed, "id: u64, total: u32, more: u8"), &[][..]),
            (app(typed, "id: u64"), &["`*/api`: removed field `total`"]),
            (
                app(raw, "id: u64, total: u32"),
                &["removed the API `*/api`"],
            ),
        ] {
            let found = changes(&old, &new);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}");
            }
        }
        assert!(changes(&app(raw, "id: u64"), &old).is_empty());
    }
}
