//! Selects the component for a request: by the most specific host, then the longest path prefix.

use std::collections::HashMap;
use std::sync::Arc;

use weft_lattice_config::{HostPattern, RouteSpec};

use crate::{Handler, RemoteComponent, TypedRoute};

/// A route and its target.
#[derive(Clone)]
pub struct Route {
    /// Host pattern and path prefix.
    pub spec: RouteSpec,
    /// The component.
    pub target: RouteTarget,
}

/// The component of a route, by how it is reached.
#[derive(Clone)]
pub enum RouteTarget {
    /// On this host.
    Local(Arc<dyn Handler>),
    /// On other hosts.
    Remote(Arc<RemoteComponent>),
    /// Functions of a component, on this host or others.
    Typed(Arc<TypedRoute>),
    /// On no host, for the given reason.
    Unavailable(Arc<str>),
}

/// All routes of a host. Immutable: a new table replaces it when an app changes.
#[derive(Default)]
pub struct RouteTable {
    exact: HashMap<String, Vec<Route>>,
    /// The longest suffix first.
    wildcards: Vec<(HostPattern, Vec<Route>)>,
    any: Vec<Route>,
    is_partial: bool,
}

impl RouteTable {
    /// A table of routes in any order, each with one owner (see
    /// [`route_owners`](weft_lattice_config::route_owners)).
    #[must_use]
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by(|left, right| {
            weft_lattice_config::routes::most_specific_first(&left.spec, &right.spec)
        });
        let mut table = Self::default();
        for route in routes {
            table.add(route);
        }
        table
    }

    /// A table that may lack routes, because this host has not read the whole desired state yet.
    #[must_use]
    pub fn partial(routes: Vec<Route>) -> Self {
        Self {
            is_partial: true,
            ..Self::new(routes)
        }
    }

    /// True if the table may lack routes that other hosts have.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    fn add(&mut self, route: Route) {
        match route.spec.host.clone() {
            None => self.any.push(route),
            Some(host) if host.as_str().starts_with('*') => {
                match self
                    .wildcards
                    .iter_mut()
                    .find(|(pattern, _)| *pattern == host)
                {
                    Some((_, routes)) => routes.push(route),
                    None => self.wildcards.push((host, vec![route])),
                }
            }
            Some(host) => {
                self.exact
                    .entry(host.as_str().to_ascii_lowercase())
                    .or_default()
                    .push(route);
            }
        }
    }

    /// The target of a request to `host`, without port, and `path`.
    pub fn find(&self, host: &str, path: &str) -> Option<&RouteTarget> {
        self.routes_of(host)
            .flatten()
            .find(|route| route.spec.path.matches(path))
            .map(|route| &route.target)
    }

    fn routes_of(&self, host: &str) -> impl Iterator<Item = &Vec<Route>> {
        let exact = if self.exact.is_empty() {
            None
        } else if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.exact.get(&host.to_ascii_lowercase())
        } else {
            self.exact.get(host)
        };
        let wildcards = self
            .wildcards
            .iter()
            .filter(|(pattern, _)| pattern.matches(host));
        exact
            .into_iter()
            .chain(wildcards.map(|(_, routes)| routes))
            .chain([&self.any])
    }
}
