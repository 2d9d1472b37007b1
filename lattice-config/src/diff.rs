//! The difference between two apps, shown before a deploy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::{App, AppSpec, ComponentSpec, LinkSpec, ProviderSpec, RouteSpec};
use crate::interface::InterfaceRef;
use crate::name::{ComponentName, LinkName, ProviderName};
use crate::routes::{HostPattern, PathPrefix};

/// One difference between two apps. Displayed as a line such as `+ component pricing` or
/// `~ provider orders-db (config)`, with keys but never values, which may be private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The part of the app that differs.
    pub subject: Subject,
    /// The kind of difference.
    pub kind: ChangeKind,
}

/// A part of an app, identified by the keys that do not change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A component.
    Component(ComponentName),
    /// A provider.
    Provider(ProviderName),
    /// A link.
    Link {
        /// The importing component.
        from: ComponentName,
        /// The imported interface.
        interface: InterfaceRef,
        /// The name of the link.
        name: Option<LinkName>,
    },
    /// A route.
    Route {
        /// The host; `None` stands for any host.
        host: Option<HostPattern>,
        /// The path prefix.
        path: PathPrefix,
    },
}

/// The kind of difference of a part of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Only the new app has the part.
    Added,
    /// Only the old app has the part.
    Removed,
    /// Both apps have the part, and these keys differ, sorted by name.
    Changed(Vec<String>),
}

/// Lists the differences from `old` to `new`: components, then providers, links and routes, each
/// sorted by name. Empty if all of them are equal.
#[must_use]
pub fn diff(old: &App, new: &App) -> Vec<Change> {
    let (mut old, new) = (parts(old), parts(new));
    let mut changes = Vec::new();
    for (subject, value) in new {
        let kind = match old.remove(&subject) {
            None => ChangeKind::Added,
            Some(before) if before == value => continue,
            Some(before) => ChangeKind::Changed(changed_keys(&before, &value)),
        };
        changes.push(Change { subject, kind });
    }
    let removed = old.into_keys().map(|subject| Change {
        subject,
        kind: ChangeKind::Removed,
    });
    changes.extend(removed);
    changes.sort_by(|left, right| left.subject.cmp(&right.subject));
    changes
}

#[derive(PartialEq, Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Component(&'a ComponentSpec),
    Provider(&'a ProviderSpec),
    Link(&'a LinkSpec),
    Route(&'a RouteSpec),
}

fn parts(app: &App) -> BTreeMap<Subject, Part<'_>> {
    let AppSpec {
        components,
        providers,
        links,
        routes,
    } = &app.spec;
    let components = components
        .iter()
        .map(|part| (Subject::Component(part.name.clone()), Part::Component(part)));
    let providers = providers
        .iter()
        .map(|part| (Subject::Provider(part.name.clone()), Part::Provider(part)));
    let links = links
        .iter()
        .map(|part| (Subject::from(part), Part::Link(part)));
    let routes = routes
        .iter()
        .map(|part| (Subject::from(part), Part::Route(part)));
    components
        .chain(providers)
        .chain(links)
        .chain(routes)
        .collect()
}

/// The keys that differ in the stored form, which has the same keys as the manifest.
fn changed_keys(before: &Part<'_>, after: &Part<'_>) -> Vec<String> {
    let stored = |part| match serde_json::to_value(part) {
        Ok(Value::Object(map)) => map,
        // Cannot happen for plain data with text keys; the change would be listed without keys.
        Ok(_) | Err(_) => Map::new(),
    };
    let (before, after) = (stored(before), stored(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .cloned()
        .collect()
}

impl From<&LinkSpec> for Subject {
    fn from(link: &LinkSpec) -> Subject {
        Subject::Link {
            from: link.from.clone(),
            interface: link.interface.clone(),
            name: link.name.clone(),
        }
    }
}

impl From<&RouteSpec> for Subject {
    fn from(route: &RouteSpec) -> Subject {
        Subject::Route {
            host: route.host.clone(),
            path: route.path.clone(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed(_) => '~',
        };
        write!(formatter, "{sign} {}", self.subject)?;
        match &self.kind {
            ChangeKind::Changed(keys) => write!(formatter, " ({})", keys.join(", ")),
            ChangeKind::Added | ChangeKind::Removed => Ok(()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Component(name) => write!(formatter, "component {name}"),
            Subject::Provider(name) => write!(formatter, "provider {name}"),
            Subject::Link {
                from,
                interface,
                name,
            } => {
                write!(formatter, "link {from} → {interface}")?;
                name.as_ref()
                    .map_or(Ok(()), |name| write!(formatter, " named {name}"))
            }
            Subject::Route {
                host: Some(host),
                path,
            } => write!(formatter, "route {host}{path}"),
            Subject::Route { host: None, path } => write!(formatter, "route {path}"),
        }
    }
}
