//! What a deploy would change, for people to read before it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::{App, AppSpec, ComponentSpec, LinkSpec, ProviderSpec, RouteSpec};
use crate::interface::InterfaceRef;
use crate::name::{ComponentName, LinkName, ProviderName};
use crate::routes::{HostPattern, PathPrefix};

/// One difference between two apps. Its `Display` is a line such as `+ component pricing` or
/// `~ provider orders-db (config)`; it names keys and never shows values, which may be private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What differs.
    pub subject: Subject,
    /// How it differs.
    pub kind: ChangeKind,
}

/// A part of an app, told by what stays the same when it changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A component.
    Component(ComponentName),
    /// A provider.
    Provider(ProviderName),
    /// A link.
    Link {
        /// The component that imports.
        from: ComponentName,
        /// What it imports.
        interface: InterfaceRef,
        /// The link's own name.
        name: Option<LinkName>,
    },
    /// A route.
    Route {
        /// The host; none is any.
        host: Option<HostPattern>,
        /// The path.
        path: PathPrefix,
    },
}

/// How a part of an app differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is in both and these keys differ, in the order of their names.
    Changed(Vec<String>),
}

/// The differences from `old` to `new`: components, then providers, links and routes, each sorted by
/// name. Empty when a deploy would change none of them.
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

/// The keys that differ in the stored form, which has the keys that people know.
fn changed_keys(before: &Part<'_>, after: &Part<'_>) -> Vec<String> {
    let stored = |part| match serde_json::to_value(part) {
        Ok(Value::Object(map)) => map,
        // Plain data with text keys: it is a map. If it were not, the change would stand unexplained.
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
