//! Routes that serve an interface, as links whose importer is HTTP.

use std::sync::Arc;

use weft_api::{Api, Operation};
use weft_control::LinkQuery;
use weft_control::rows::{HttpOperation, LinkFunction, LinkRow, LinkWhyRow};
use weft_lattice_config::{App, Mistake, RouteSpec};
use weft_link::LinkMode;

use super::errors::ApiError;
use crate::controller::{AppState, HostedApp};

/// The importer of a route that serves an interface, and the path of its calls.
pub(super) const HTTP: &str = "http";

/// The row of a route that serves an interface: a link on every host.
pub(super) fn row(
    host: &str,
    app: &App,
    route: &RouteSpec,
    hosted: Option<&Arc<HostedApp>>,
) -> Option<LinkRow> {
    let interface = route.interface.as_ref()?;
    let is_here = hosted.is_some_and(|hosted| {
        matches!(hosted.state, AppState::Ready(_)) && hosted.runs(route.to.as_str())
    });
    let mode = match is_here {
        true => LinkMode::Local,
        false => LinkMode::Remote,
    };
    Some(LinkRow {
        host: Some(host.to_owned()),
        app: app.metadata.name.to_string(),
        from: HTTP.to_owned(),
        interface: interface.to_string(),
        name: Some(route.pattern()),
        to: route.to.to_string(),
        mode: mode.name().to_owned(),
        locality: None,
    })
}

/// Explains the calls of the routes that serve an interface of one component.
///
/// # Errors
/// If the app has no such route.
pub(super) fn explain(
    host: &str,
    app: &App,
    hosted: Option<&Arc<HostedApp>>,
    query: &LinkQuery,
) -> Result<LinkWhyRow, ApiError> {
    let routes = app.spec.routes.iter();
    let routes: Vec<_> = routes.filter(|route| is_match(route, query)).collect();
    let first = routes.first().copied();
    let Some((first, row)) = first.and_then(|route| Some((route, row(host, app, route, hosted)?)))
    else {
        let message = format!("app `{}` has no route for `{}`", query.app, query.import);
        return Err(ApiError::not_found(message).help("see `weft get routes`"));
    };
    let mut why = vec![
        match row.mode == LinkMode::Local.name() {
            true => {
                "each request is a call from the HTTP server of this host to a store of its own"
            }
            false => "this host does not run the component: each request is a call of another host",
        }
        .to_owned(),
    ];
    let mut all = Vec::new();
    for route in routes.iter().filter(|route| route.to == first.to) {
        match functions(app, route) {
            Ok(functions) => all.extend(functions),
            Err(mistakes) => why.extend(mistakes.into_iter().map(|mistake| mistake.message)),
        }
    }
    Ok(LinkWhyRow {
        app: row.app,
        from: row.from,
        interface: row.interface,
        name: row.name,
        to: row.to,
        mode: row.mode,
        locality: None,
        functions: all,
        why,
        deadline_ms: None,
        host: row.host,
    })
}

fn is_match(route: &RouteSpec, query: &LinkQuery) -> bool {
    let interface = route.interface.as_ref().map(ToString::to_string);
    interface.is_some_and(|name| {
        let reference = name.parse();
        reference.is_ok_and(|reference| query.import.matches(&name, &reference))
    })
}

/// The functions that requests of a route call, one for each operation.
///
/// # Errors
/// The mistakes of the route. A deploy checks routes, so the record is of another version of Weft.
fn functions(app: &App, route: &RouteSpec) -> Result<Vec<LinkFunction>, Vec<Mistake>> {
    let mut components = app.spec.components.iter();
    let Some(component) = components.find(|component| component.name == route.to) else {
        return Ok(Vec::new());
    };
    let api = Api::of_route(route, component)?;
    let functions = api.operations().iter().map(|operation| LinkFunction {
        function: operation.function().to_owned(),
        path: HTTP.to_owned(),
        http: Some(http_operation(&api, operation)),
    });
    Ok(functions.collect())
}

fn http_operation(api: &Api, operation: &Operation) -> HttpOperation {
    let request = operation.request();
    let method = request.method.as_str();
    // The text of a request is its method, a space, and its path with the query.
    let text = request.to_string();
    let path = text.trim_start_matches(method).trim_start();
    HttpOperation {
        method: method.to_owned(),
        path: api.prefix().as_str().trim_end_matches('/').to_owned() + path,
        statuses: operation.statuses().collect(),
        idempotent: operation.is_idempotent(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "
apiVersion: weft.dev/v1alpha1
kind: App
metadata: {name: shop}
spec:
  components:
  - name: orders
    source: {file: a.wasm}
    wit: |
      package shop:catalog@0.1.0;
      interface orders {
        variant order-error { empty, unknown-order(u64), storage(string) }
        place: func(lines: list<string>) -> result<u64, order-error>;
        find: func(id: u64) -> option<string>;
        remove: func(id: u64);
      }
  routes:
  - path: /api
    to: orders
    interface: shop:catalog/orders@0.1.0
    operations:
    - {func: place, as: POST /orders, ok: 201}
    - {func: find, as: 'GET /orders/{id}'}
    - {func: find, as: 'GET /orders?id={id=1}'}
    errors: {order-error: {400: [empty], 404: [unknown-order], default: 500}}
  - {path: /, to: orders, interface: 'shop:catalog/orders@0.1.0', operations: [{func: remove, as: 'DELETE /{id}'}]}
";

    /// The explanation of the routes for an interface.
    fn explained(query: &str) -> Result<LinkWhyRow, ApiError> {
        let app = App::from_yaml("shop.yaml", APP).unwrap_or_else(|errors| panic!("{errors}"));
        let query = format!("app=shop&from=http&{query}");
        explain("north", &app, None, &query.parse().expect("a query"))
    }

    #[test]
    fn each_operation_of_a_route_is_a_function_with_its_requests_and_statuses() {
        let row = explained("interface=shop:catalog/orders").ok().unwrap();
        let operations = row.functions.iter().map(|function| {
            let http = function.http.as_ref().unwrap();
            assert_eq!(function.path, HTTP);
            let repeats = if http.idempotent {
                "idempotent"
            } else {
                "once"
            };
            let (name, method, path) = (&function.function, &http.method, &http.path);
            format!("{name}: {method} {path}: {:?}, {repeats}", http.statuses)
        });
        assert_eq!(
            operations.collect::<Vec<_>>(),
            [
                "place: POST /api/orders: [201, 400, 404, 500], once",
                "find: GET /api/orders/{id}: [200, 404], idempotent",
                "find: GET /api/orders?id={id=1}: [200, 404], idempotent",
                "remove: DELETE /{id}: [204], idempotent",
            ]
        );
        assert_eq!(row.why.len(), 1, "{:?}", row.why);
    }

    #[test]
    fn an_interface_of_no_route_is_refused() {
        assert!(explained("interface=shop:catalog/pricing").is_err());
    }
}
