//! Checks of names and references: unique names, references with a target, distinct routes.

mod links;
mod placement;

use std::collections::BTreeSet;

use crate::diagnostic::Report;
use crate::partial_app::{
    Located, OptionalField, PartialApp, PartialLink, PartialRoute, TargetNames,
};
use crate::quote::{did_you_mean, quoted, quoted_list};
use crate::routes::{PathPrefix, duplicates};

/// Maximum number of names in a help line; a longer list does not help.
const LISTED_NAMES_MAX: usize = 8;

/// Reports every mistake in names, references and placement.
pub(crate) fn validate(app: &PartialApp<'_>, report: &mut Report<'_>) {
    Validator {
        app,
        components: app
            .components
            .iter()
            .map(|located| located.value.as_str())
            .collect(),
        providers: app
            .providers
            .iter()
            .map(|located| located.value.as_str())
            .collect(),
        report,
    }
    .validate();
}

struct Validator<'o, 'a, 'r> {
    app: &'o PartialApp<'o>,
    components: BTreeSet<&'o str>,
    providers: BTreeSet<&'o str>,
    report: &'a mut Report<'r>,
}

impl<'o> Validator<'o, '_, '_> {
    fn validate(&mut self) {
        let app = self.app;
        self.check_names();
        for name in &app.env {
            self.check_env_name(name);
        }
        if app.target_names == TargetNames::Known {
            for link in &app.links {
                self.check_link_ends(link);
            }
            for to in app.routes.iter().filter_map(|route| route.to.as_ref()) {
                self.check_is_component(to, "`to` of a route must be a component");
            }
        }
        self.check_links();
        self.check_placements();
        self.check_collisions();
    }

    fn add(&mut self, located: &Located<impl Sized>, message: String, help: Option<String>) {
        self.report
            .add(located.position, &located.path, message, help);
    }

    // === names ===

    fn check_names(&mut self) {
        let app = self.app;
        let components = app.components.iter().map(Located::as_text);
        let names: Vec<_> = components
            .chain(app.providers.iter().map(Located::as_text))
            .collect();
        for (first, second) in duplicates(names.iter().map(|located| located.value)) {
            let (name, first_path) = (names[first].value, &names[first].path);
            let message = format!("duplicate name `{name}`, already used by `{first_path}`");
            let help = "rename one of the two: components and providers share one set of names";
            self.add(&names[second], message, Some(help.to_owned()));
        }
    }

    fn check_env_name(&mut self, name: &Located<&str>) {
        if name.value.is_empty() {
            let message = "the name of an environment variable must not be empty";
            self.add(name, message.to_owned(), None);
        } else if name.value.contains(['=', '\0']) {
            let name_shown = quoted(name.value);
            let message = format!(
                "{name_shown} is not the name of an environment variable: must not contain `=` or NUL"
            );
            self.add(name, message, None);
        }
    }

    // === references ===

    fn check_link_ends(&mut self, link: &PartialLink) {
        if let Some(from) = &link.from {
            self.check_is_component(from, "`from` of a link must be a component");
        }
        let Some(to) = &link.to else { return };
        let name = to.value.as_str();
        if !self.components.contains(name) && !self.providers.contains(name) {
            let names: BTreeSet<_> = self.components.union(&self.providers).copied().collect();
            let message = format!("unknown component or provider `{name}`");
            self.add(to, message, suggest_names(name, &names));
        }
    }

    fn check_is_component(&mut self, located: &Located<impl AsRef<str>>, rule: &str) {
        let name = located.value.as_ref();
        if self.components.contains(name) {
            return;
        }
        let help = suggest_names(name, &self.components);
        if self.providers.contains(name) {
            self.add(located, format!("`{name}` is a provider: {rule}"), help);
        } else {
            self.add(located, format!("unknown component `{name}`"), help);
        }
    }

    // === routes ===

    fn check_collisions(&mut self) {
        let app = self.app;
        let routes: Vec<_> = app.routes.iter().filter_map(RouteKey::of).collect();
        for (first, second) in duplicates(routes.iter().map(|route| (route.host, &route.path))) {
            let (first, second) = (&routes[first], &routes[second]);
            let requests = match second.host {
                Some(host) => format!("`{host}{}`", second.path),
                None => format!("`{}` on any host", second.path),
            };
            let (first_owner, second_owner) = (self.owner(first.route), self.owner(second.route));
            let message =
                format!("duplicate route {requests}: used by {first_owner} and {second_owner}");
            let help = "change the host or the path of one of the routes";
            self.add(&second.route.location, message, Some(help.to_owned()));
        }
    }

    /// Formats the owner of a route from its readable parts: "`shop/storefront`
    /// (`spec.routes[0]`)".
    fn owner(&self, route: &PartialRoute) -> String {
        let path = &route.location.path;
        match (&self.app.name, &route.to) {
            (Some(app), Some(to)) => format!("`{app}/{}` (`{path}`)", to.value),
            (None, Some(to)) => format!("`{}` (`{path}`)", to.value),
            (_, None) => format!("`{path}`"),
        }
    }
}

/// The keys that must differ between routes.
struct RouteKey<'a> {
    host: Option<&'a crate::HostPattern>,
    path: PathPrefix,
    route: &'a PartialRoute,
}

impl<'a> RouteKey<'a> {
    fn of(route: &'a PartialRoute) -> Option<RouteKey<'a>> {
        let host = match &route.host {
            OptionalField::Absent => None,
            OptionalField::Valid(host) => Some(host),
            OptionalField::Invalid => return None,
        };
        let path = match &route.path {
            OptionalField::Absent => PathPrefix::default(),
            OptionalField::Valid(path) => path.clone(),
            OptionalField::Invalid => return None,
        };
        Some(RouteKey { host, path, route })
    }
}

impl<T: AsRef<str>> Located<T> {
    fn as_text(&self) -> Located<&str> {
        Located {
            value: self.value.as_ref(),
            position: self.position,
            path: self.path.clone(),
        }
    }
}

/// Returns a help line with the nearest name, or else with all names.
fn suggest_names(written: &str, names: &BTreeSet<&str>) -> Option<String> {
    did_you_mean(written, names.iter().copied()).or_else(|| {
        let is_short = (1..=LISTED_NAMES_MAX).contains(&names.len());
        let one_of = if names.len() > 1 { "one of " } else { "" };
        is_short.then(|| format!("use {one_of}{}", quoted_list(names.iter().copied())))
    })
}
