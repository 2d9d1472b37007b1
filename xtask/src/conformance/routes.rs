//! The routes that are judged.

/// A route of the shop or of the app of fixtures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// The name of its document in the folder of the tools.
    pub(super) name: &'static str,
    /// Its path, as in the manifest.
    pub(super) path: &'static str,
    /// The runs that send it generated requests.
    pub(super) generated: Generated,
}

/// The runs that send generated requests to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generated {
    /// All of them.
    Always,
    /// All but quick ones.
    InFull,
    /// None: the requests would be those of another route.
    Never,
}

/// All routes. Names and numbers have each form in one of them.
pub(super) const ROUTES: [Route; 10] = [
    route("shop", "/api", Generated::Always),
    route("catalog", "/catalog", Generated::Always),
    route("places", "/places", Generated::Always),
    route("feed", "/feed", Generated::Always),
    route("maps", "/maps", Generated::InFull),
    route("keywords", "/keywords", Generated::InFull),
    route("values", "/values", Generated::InFull),
    route("kebab-text", "/kebab-text", Generated::InFull),
    route("kebab", "/kebab", Generated::Never),
    route("text", "/text", Generated::Never),
];

const fn route(name: &'static str, path: &'static str, generated: Generated) -> Route {
    Route {
        name,
        path,
        generated,
    }
}

impl Route {
    /// The path of its OpenAPI document.
    pub(super) fn document_path(&self) -> String {
        format!("{}/openapi.json", self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::conformance::FIXTURES;
    use crate::shop::MANIFEST;
    use crate::workspace::root;

    #[test]
    fn every_typed_route_of_the_apps_is_judged() {
        let typed: usize = [MANIFEST, FIXTURES]
            .iter()
            .map(|path| {
                let text = fs::read_to_string(root().unwrap().join(path)).unwrap();
                for route in ROUTES
                    .iter()
                    .filter(|route| text.contains(&format!("- path: {}\n", route.path)))
                {
                    assert!(text.contains("interface: "), "{}", route.name);
                }
                let (_, routes) = text.split_once("  routes:\n").unwrap();
                routes.matches("    interface: ").count()
            })
            .sum();
        assert_eq!(typed, ROUTES.len());
    }
}
