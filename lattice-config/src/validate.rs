//! Checks of meaning: names that differ, references that lead somewhere, routes that do not collide.

use std::collections::BTreeSet;

use crate::diagnostic::Report;
use crate::links::cycles_of;
use crate::name::Name;
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
        for link in &outline.links {
            self.check_link(link);
        }
        self.check_duplicate_links();
        self.check_cycles();
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

    // === links ===

    fn check_link(&mut self, link: &LinkOutline) {
        let Some(to) = &link.to else { return };
        let name = to.value.as_str();
        if link
            .from
            .as_ref()
            .is_some_and(|from| from.value.as_str() == name)
        {
            let message = format!("`{name}` is linked to itself");
            let help = "a component serves its own interfaces without a link";
            self.add(to, message, Some(help.to_owned()));
        }
        if let Some(config) = link
            .config
            .as_ref()
            .filter(|_| self.components.contains(name))
        {
            let message = format!("a link to a component has no `config`, and `{name}` is one");
            let help =
                "`config` is for links to a provider; a component takes its settings from `env`";
            self.add(config, message, Some(help.to_owned()));
        }
    }

    fn check_duplicate_links(&mut self) {
        let outline = self.outline;
        let links: Vec<_> = outline.links.iter().filter_map(LinkKey::of).collect();
        for (first, second) in repeats(links.iter().map(|link| link.key)) {
            let (from, interface, name) = links[second].key;
            let taken_by = links[first].at.path.trim_end_matches(".interface");
            let named = name.map_or(String::new(), |name| format!(" named `{name}`"));
            let message =
                format!("`{from}` has a link for `{interface}`{named} already: `{taken_by}`");
            let help = "give each a `name` of its own to link one interface to several targets";
            self.add(links[second].at, message, Some(help.to_owned()));
        }
    }

    fn check_cycles(&mut self) {
        let outline = self.outline;
        let ends = |link: &'o LinkOutline| {
            let (from, to) = (link.from.as_ref()?, link.to.as_ref()?);
            // A link to itself is reported as such.
            (from.value.as_str() != to.value.as_str()).then_some((&from.value, to))
        };
        let links: Vec<_> = outline.links.iter().filter_map(ends).collect();
        let edges = links
            .iter()
            .map(|(from, to)| (Name::from((*from).clone()), to.value.clone()));
        for cycle in cycles_of(edges) {
            let message = format!("these links go in a circle: {cycle}");
            let help = "take one of them out, for linked components are joined into one";
            self.add(links[cycle.closing_link].1, message, Some(help.to_owned()));
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

/// What must differ between links, and where to report when it does not.
struct LinkKey<'a> {
    key: (&'a str, &'a crate::InterfaceRef, Option<&'a str>),
    at: &'a At<crate::InterfaceRef>,
}

impl<'a> LinkKey<'a> {
    fn of(link: &'a LinkOutline) -> Option<LinkKey<'a>> {
        let (from, interface) = (link.from.as_ref()?, link.interface.as_ref()?);
        let name = match &link.name {
            Written::Absent => None,
            Written::Well(name) => Some(name.as_str()),
            Written::Badly => return None,
        };
        let key = (from.value.as_str(), &interface.value, name);
        Some(LinkKey { key, at: interface })
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
