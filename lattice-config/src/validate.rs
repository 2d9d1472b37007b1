//! Checks of meaning: names that differ, references that lead somewhere, routes that do not collide.

mod links;
mod placement;

use std::collections::BTreeSet;

use crate::diagnostic::Report;
use crate::outline::{At, LinkOutline, Outline, RouteOutline, Targets, Written};
use crate::routes::{PathPrefix, repeats};
use crate::text::{did_you_mean, quoted, quoted_list};

/// More names than this in a help line are no help.
const LISTED_NAMES_MAX: usize = 8;

/// Reports every mistake of meaning.
pub(crate) fn validate(outline: &Outline<'_>, report: &mut Report<'_>) {
    Validator {
        outline,
        components: outline
            .components
            .iter()
            .map(|at| at.value.as_str())
            .collect(),
        providers: outline
            .providers
            .iter()
            .map(|at| at.value.as_str())
            .collect(),
        report,
    }
    .validate();
}

struct Validator<'o, 'a, 'r> {
    outline: &'o Outline<'o>,
    components: BTreeSet<&'o str>,
    providers: BTreeSet<&'o str>,
    report: &'a mut Report<'r>,
}

impl<'o> Validator<'o, '_, '_> {
    fn validate(&mut self) {
        let outline = self.outline;
        self.check_names();
        for name in &outline.env {
            self.check_env_name(name);
        }
        if outline.targets == Targets::Known {
            for link in &outline.links {
                self.check_ends(link);
            }
            for to in outline.routes.iter().filter_map(|route| route.to.as_ref()) {
                self.check_is_component(to, "a route leads to a component");
            }
        }
        self.check_links();
        self.check_placements();
        self.check_collisions();
    }

    fn add(&mut self, at: &At<impl Sized>, message: String, help: Option<String>) {
        self.report.add(at.position, &at.path, message, help);
    }

    // === names ===

    fn check_names(&mut self) {
        let outline = self.outline;
        let components = outline.components.iter().map(At::as_text);
        let names: Vec<_> = components
            .chain(outline.providers.iter().map(At::as_text))
            .collect();
        for (first, second) in repeats(names.iter().map(|at| at.value)) {
            let (name, taken_by) = (names[first].value, &names[first].path);
            let message = format!("the name `{name}` is taken by `{taken_by}`");
            let help =
                "components and providers share one set of names, because links go to either";
            self.add(&names[second], message, Some(help.to_owned()));
        }
    }

    fn check_env_name(&mut self, name: &At<&str>) {
        if name.value.is_empty() {
            self.add(
                name,
                "the name of an environment variable is empty".to_owned(),
                None,
            );
        } else if name.value.contains(['=', '\0']) {
            let name_shown = quoted(name.value);
            let message = format!("{name_shown} is not the name of an environment variable");
            self.add(
                name,
                message,
                Some("it must not contain `=` or NUL".to_owned()),
            );
        }
    }

    // === references ===

    fn check_ends(&mut self, link: &LinkOutline) {
        if let Some(from) = &link.from {
            self.check_is_component(from, "a link starts at a component");
        }
        let Some(to) = &link.to else { return };
        let name = to.value.as_str();
        if !self.components.contains(name) && !self.providers.contains(name) {
            let names: BTreeSet<_> = self.components.union(&self.providers).copied().collect();
            let message = format!("no component or provider is named `{name}`");
            self.add(to, message, nearest_or_all(name, &names));
        }
    }

    fn check_is_component(&mut self, at: &At<impl AsRef<str>>, rule: &str) {
        let name = at.value.as_ref();
        if self.components.contains(name) {
            return;
        }
        let help = nearest_or_all(name, &self.components);
        if self.providers.contains(name) {
            self.add(at, format!("`{name}` is a provider: {rule}"), help);
        } else {
            self.add(at, format!("no component is named `{name}`"), help);
        }
    }

    // === routes ===

    fn check_collisions(&mut self) {
        let outline = self.outline;
        let routes: Vec<_> = outline.routes.iter().filter_map(RouteKey::of).collect();
        for (first, second) in repeats(routes.iter().map(|route| (route.host, &route.path))) {
            let (first, second) = (&routes[first], &routes[second]);
            let requests = match second.host {
                Some(host) => format!("`{host}{}`", second.path),
                None => format!("`{}` on any host", second.path),
            };
            let (first_owner, second_owner) = (self.owner(first.route), self.owner(second.route));
            let message =
                format!("{requests} is taken twice: by {first_owner} and by {second_owner}");
            let help = "change the host or the path of one of the two";
            self.add(&second.route.at, message, Some(help.to_owned()));
        }
    }

    /// "`shop/storefront` (`spec.routes[0]`)", as far as it can be told.
    fn owner(&self, route: &RouteOutline) -> String {
        let path = &route.at.path;
        match (&self.outline.app, &route.to) {
            (Some(app), Some(to)) => format!("`{app}/{}` (`{path}`)", to.value),
            (None, Some(to)) => format!("`{}` (`{path}`)", to.value),
            (_, None) => format!("`{path}`"),
        }
    }
}

/// What must differ between routes.
struct RouteKey<'a> {
    host: Option<&'a crate::HostPattern>,
    path: PathPrefix,
    route: &'a RouteOutline,
}

impl<'a> RouteKey<'a> {
    fn of(route: &'a RouteOutline) -> Option<RouteKey<'a>> {
        let host = match &route.host {
            Written::Absent => None,
            Written::Well(host) => Some(host),
            Written::Badly => return None,
        };
        let path = match &route.path {
            Written::Absent => PathPrefix::default(),
            Written::Well(path) => path.clone(),
            Written::Badly => return None,
        };
        Some(RouteKey { host, path, route })
    }
}

impl<T: AsRef<str>> At<T> {
    fn as_text(&self) -> At<&str> {
        At {
            value: self.value.as_ref(),
            position: self.position,
            path: self.path.clone(),
        }
    }
}

/// A help line with the name that was probably meant, or else all of them.
fn nearest_or_all(written: &str, names: &BTreeSet<&str>) -> Option<String> {
    did_you_mean(written, names.iter().copied()).or_else(|| {
        let is_short = (1..=LISTED_NAMES_MAX).contains(&names.len());
        is_short.then(|| format!("the app has {}", quoted_list(names.iter().copied())))
    })
}
