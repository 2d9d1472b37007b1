//! Checks of names and references: unique names, references with a target, distinct routes.

mod links;
mod placement;
mod routes;

use std::collections::BTreeSet;

use crate::diagnostic::Report;
use crate::partial_app::{Located, PartialApp, PartialLink, TargetNames};
use crate::quote::{did_you_mean, quoted, quoted_list};
use crate::routes::duplicates;

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
        for build in &app.empty_builds {
            let message = format!("`{}` has neither `language` nor `command`", build.path);
            let help =
                "name the language, as in `build: rust`, or the command that builds the component";
            self.add(build, message, Some(help.to_owned()));
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
        self.check_apis();
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
