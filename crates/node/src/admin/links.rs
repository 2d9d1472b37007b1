//! Links in the form of the control protocol: `GET /v1/links` and `GET /v1/links/why`.

use weft_control::LinkQuery;
use weft_control::rows::{LinkFunction, LinkRow, LinkWhyRow};
use weft_lattice_config::{App, LinkSpec, nearest};
use weft_link::LinkReport;

use super::errors::ApiError;
use super::{Api, targets, typed_routes};
use crate::cluster_view::ClusterView;
use crate::controller::{AppState, HostedApp, Snapshot};

/// The mode of a link to a provider.
const HOST: &str = "host";

/// One row for each link of each desired app, with the mode if this host runs the importing
/// component.
pub(super) fn rows(host: &str, view: &ClusterView, snapshot: &Snapshot) -> Vec<LinkRow> {
    let mut rows = Vec::new();
    for deployed in view.apps() {
        let app = &deployed.app;
        let hosted = snapshot.apps.get(app.metadata.name.as_str());
        // Of another revision, the links may be others.
        let hosted = hosted.filter(|hosted| hosted.deployed.app == *app);
        let links = app.spec.links.iter().enumerate();
        rows.extend(links.map(|(index, link)| {
            let mode = hosted.map_or("", |hosted| mode(hosted, index, link));
            row(host, app, link, mode)
        }));
        let routes = app.spec.routes.iter();
        rows.extend(routes.filter_map(|route| typed_routes::row(host, app, route, hosted)));
    }
    rows
}

fn row(host: &str, app: &App, link: &LinkSpec, mode: &str) -> LinkRow {
    LinkRow {
        host: (!mode.is_empty()).then(|| host.to_owned()),
        app: app.metadata.name.to_string(),
        from: link.from.to_string(),
        interface: link.interface.to_string(),
        name: link.name.as_ref().map(ToString::to_string),
        to: link.to.to_string(),
        mode: mode.to_owned(),
        locality: locality(app, link),
    }
}

/// A link of a package serves several imports. They have the same ends, and so one mode.
fn mode(running: &HostedApp, index: usize, link: &LinkSpec) -> &'static str {
    match &running.state {
        AppState::Ready(_) if !running.runs(link.from.as_str()) => "",
        AppState::Failed(_) => "",
        AppState::Ready(_) if is_provider(&running.deployed.app, link) => HOST,
        AppState::Ready(ready) => {
            let mut reports = ready.links().iter();
            let report = reports.find(|report| report.link == index);
            report.map_or("", |report| report.mode.name())
        }
    }
}

fn is_provider(app: &App, link: &LinkSpec) -> bool {
    let mut providers = app.spec.providers.iter();
    providers.any(|provider| provider.name.as_str() == link.to.as_str())
}

fn locality(app: &App, link: &LinkSpec) -> Option<String> {
    (!is_provider(app, link)).then(|| link.locality.as_str().to_owned())
}

impl Api {
    /// Explains the mode on this host of the link that `query` names.
    ///
    /// # Errors
    /// If the query is malformed, names an unknown app, component or link, or matches several
    /// links; or if this host does not run the component.
    pub(super) fn link_why(&self, query: &str) -> Result<LinkWhyRow, ApiError> {
        let query: LinkQuery = query
            .parse()
            .map_err(|error| ApiError::bad_request(format!("{error}")))?;
        let (app, from) = (query.app.as_str(), query.from.as_str());
        if let Some(hosted) = self.app_with(app, from)
            && let Some(running) = hosted.running()
        {
            let host = &self.sources.about.name;
            return explain(host, &hosted.deployed.app, running.links(), &query);
        }
        let view = self.sources.mesh.cluster_view();
        let desired = targets::desired_app(&view, app)?;
        if from == typed_routes::HTTP && !has_component(desired, from) {
            let (snapshot, host) = (self.sources.controller.snapshot(), &self.sources.about.name);
            return typed_routes::explain(host, desired, snapshot.apps.get(app), &query);
        }
        targets::check_component(desired, from)?;
        Err(self.not_here(app, from))
    }
}

fn has_component(app: &App, name: &str) -> bool {
    let mut components = app.spec.components.iter();
    components.any(|component| component.name.as_str() == name)
}

fn explain(
    host: &str,
    app: &App,
    reports: &[LinkReport],
    query: &LinkQuery,
) -> Result<LinkWhyRow, ApiError> {
    let imports = imports(app, reports, query);
    let matching: Vec<_> = imports
        .iter()
        .filter(|import| import.is_match(query))
        .collect();
    match matching.as_slice() {
        [] => Err(no_link(query, &imports)),
        [import] => Ok(import.row(host, app)),
        several => Err(ambiguous(query, several)),
    }
}

/// An import of a component, and the report of its link.
struct Import<'a> {
    /// For a provider, the interface or package of the link: its imports are alike.
    name: String,
    link: &'a LinkSpec,
    /// `None` for a provider.
    report: Option<&'a LinkReport>,
}

/// The linked imports of the component of the query.
fn imports<'a>(app: &'a App, reports: &'a [LinkReport], query: &LinkQuery) -> Vec<Import<'a>> {
    let mut imports = Vec::new();
    for (index, link) in app.spec.links.iter().enumerate() {
        if link.from != query.from {
            continue;
        }
        if is_provider(app, link) {
            imports.push(Import {
                name: link.interface.to_string(),
                link,
                report: None,
            });
        }
        let of_link = reports.iter().filter(|report| report.link == index);
        imports.extend(of_link.map(|report| Import {
            name: report.import.clone(),
            link,
            report: Some(report),
        }));
    }
    imports
}

impl Import<'_> {
    fn is_match(&self, query: &LinkQuery) -> bool {
        let is_named = query.name.is_none() || query.name == self.link.name;
        is_named && query.import.matches(&self.name, &self.link.interface)
    }

    fn row(&self, host: &str, app: &App) -> LinkWhyRow {
        let link = self.link;
        let LinkRow {
            app,
            from,
            name,
            to,
            mode,
            locality,
            host,
            ..
        } = row(
            host,
            app,
            link,
            self.report.map_or(HOST, |report| report.mode.name()),
        );
        let why = match self.report {
            Some(report) => report.reasons.clone(),
            None => vec![format!(
                "`{to}` is a provider: calls stay in the host and enter no other store"
            )],
        };
        let functions = self.report.map_or(&[][..], |report| &report.functions);
        let functions = functions.iter().map(|(function, path)| LinkFunction {
            function: function.clone(),
            path: (*path).to_owned(),
            http: None,
        });
        let deadline = self.report.and_then(|report| report.deadline);
        LinkWhyRow {
            app,
            from,
            interface: self.name.clone(),
            name,
            to,
            mode,
            locality,
            functions: functions.collect(),
            host,
            why,
            deadline_ms: deadline
                .map(|deadline| u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// The import and the link's name in the form of the arguments of `weft link why`.
    fn query_text(&self) -> String {
        match &self.link.name {
            Some(name) => format!("`{}` with `--name {name}`", self.name),
            None => format!("`{}`", self.name),
        }
    }
}

fn no_link(query: &LinkQuery, imports: &[Import<'_>]) -> ApiError {
    let LinkQuery {
        app,
        from,
        import,
        name,
    } = query;
    let named = name.as_ref();
    let named = named.map_or(String::new(), |name| format!(" named `{name}`"));
    let message = format!("component `{from}` of app `{app}` has no link for `{import}`{named}");
    ApiError::not_found(message).help(suggestion(&import.to_string(), imports))
}

/// A hint at imports that resemble `asked`.
fn suggestion(asked: &str, imports: &[Import<'_>]) -> String {
    if imports.is_empty() {
        return "the component has no links at all".to_owned();
    }
    // Another version is not a typing error.
    let unversioned = |name: &str| name.split('@').next().unwrap_or(name).to_owned();
    let asked = unversioned(asked);
    let names: Vec<_> = imports
        .iter()
        .map(|import| unversioned(&import.name))
        .collect();
    if !names.contains(&asked)
        && let Some(meant) = nearest(&asked, names.iter().map(String::as_str))
    {
        return format!("did you mean `{meant}`?");
    }
    let all: Vec<_> = imports.iter().map(Import::query_text).collect();
    format!("the component has links for {}", all.join(", "))
}

fn ambiguous(query: &LinkQuery, several: &[&Import<'_>]) -> ApiError {
    let message = format!(
        "component `{}` of app `{}` has several links for `{}`",
        query.from, query.app, query.import
    );
    let several: Vec<_> = several.iter().map(|import| import.query_text()).collect();
    ApiError::bad_request(message).help(format!("name one of {}", several.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use weft_control::{ErrorBody, ErrorCode};
    use weft_link::LinkMode;

    use super::*;

    const APP: &str = "
apiVersion: weft.dev/v1alpha1
kind: App
metadata: {name: shop}
spec:
  components:
  - {name: storefront, source: {file: a.wasm}}
  - {name: pricing, source: {file: b.wasm}, isolate: true}
  providers:
  - {name: db, type: keyvalue-redb}
  links:
  - {from: storefront, interface: 'shop:catalog/pricing', to: pricing, deadline: 50ms}
  - {from: storefront, interface: 'shop:stock', to: pricing}
  - {from: storefront, interface: 'wasi:keyvalue', name: stock, to: db}
  - {from: storefront, interface: 'wasi:keyvalue', name: orders, to: db}
";

    fn report(link: usize, import: &str) -> LinkReport {
        LinkReport {
            link,
            import: import.to_owned(),
            mode: LinkMode::Local,
            reasons: vec!["component `pricing` is isolated".to_owned()],
            functions: vec![("quote".into(), "stub")],
            deadline: (link == 0).then_some(Duration::from_millis(50)),
        }
    }

    fn explain_link(query: &str) -> Result<LinkWhyRow, ApiError> {
        let app = App::from_yaml("shop.yaml", APP).unwrap();
        let reports = [
            report(0, "shop:catalog/pricing@0.1.0"),
            report(1, "shop:stock/levels"),
            report(1, "shop:stock/orders"),
        ];
        explain("north", &app, &reports, &query.parse().unwrap())
    }

    #[track_caller]
    fn check(query: &str, interface: &str, mode: &str, deadline_ms: Option<u64>) {
        let row = explain_link(&format!("app=shop&from=storefront&{query}"));
        let row = row.unwrap_or_else(|_| panic!("`{query}` is refused"));
        assert_eq!(
            (row.interface.as_str(), row.mode.as_str(), row.deadline_ms),
            (interface, mode, deadline_ms)
        );
        assert_eq!(row.functions.is_empty(), mode == HOST);
        assert_eq!(row.locality.is_none(), mode == HOST);
        assert_eq!(row.why.len(), 1);
        assert_eq!(row.host.as_deref(), Some("north"));
    }

    #[test]
    fn a_link_is_found_by_its_import_and_its_name() {
        let (pricing, keyvalue) = ("shop:catalog/pricing@0.1.0", "wasi:keyvalue");
        check("interface=shop:catalog/pricing", pricing, "local", Some(50));
        check("interface=shop:catalog", pricing, "local", Some(50));
        check(
            "interface=shop:stock/levels",
            "shop:stock/levels",
            "local",
            None,
        );
        check("interface=wasi:keyvalue&name=stock", keyvalue, HOST, None);
        check(
            "interface=wasi:keyvalue/store&name=orders",
            keyvalue,
            HOST,
            None,
        );
    }

    #[tokio::test]
    async fn an_unknown_or_ambiguous_link_is_refused_with_the_alternatives() {
        let cases = [
            (
                "from=pricing&interface=a:b/c",
                ErrorCode::NotFound,
                "no links at all",
            ),
            (
                "from=storefront&interface=shop:catalog/prices",
                ErrorCode::NotFound,
                "did you mean `shop:catalog/pricing`?",
            ),
            (
                "from=storefront&interface=shop:catalog/pricing@0.2.0",
                ErrorCode::NotFound,
                "the component has links for `shop:catalog/pricing@0.1.0`, ",
            ),
            (
                "from=storefront&interface=wasi:keyvalue&name=carts",
                ErrorCode::NotFound,
                "`wasi:keyvalue` with `--name stock`",
            ),
            (
                "from=storefront&interface=wasi:keyvalue",
                ErrorCode::BadRequest,
                "`wasi:keyvalue` with `--name orders`",
            ),
            (
                "from=storefront&interface=shop:stock",
                ErrorCode::BadRequest,
                "`shop:stock/levels`, `shop:stock/orders`",
            ),
        ];
        for (query, code, help) in cases {
            let refused = explain_link(&format!("app=shop&{query}")).err().unwrap();
            let body = refused.response().into_body().collect().await.unwrap();
            let body: ErrorBody = serde_json::from_slice(&body.to_bytes()).unwrap();
            assert_eq!(body.code, code, "{body:?}");
            assert!(body.help.as_ref().unwrap().contains(help), "{body:?}");
        }
    }
}
