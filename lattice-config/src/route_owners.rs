//! The owner of each route: the app that requests of the route go to, if several apps have it.
//!
//! A deploy with a route of another app is refused. Two deploys at the same moment may both be
//! accepted; then every host decides by the content of the records alone, so that all hosts decide
//! alike: the first claim owns the route, and of claims of one moment the one of the app whose name
//! comes first. The other app keeps its other routes, and owns the route once its owner gives it
//! up.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::app::RouteSpec;
use crate::name::{AppName, ComponentName};
use crate::routes::{HostPattern, PathPrefix};

/// The claim of an app to one of its routes.
#[derive(Clone, Copy, Debug)]
pub struct RouteClaim<'a> {
    /// The app.
    pub app: &'a AppName,
    /// Its route.
    pub route: &'a RouteSpec,
    /// The time at which the app first had the route, without a revision in between that had it
    /// not; in milliseconds since the Unix epoch.
    pub since: u64,
}

/// The app that a route belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteOwner {
    /// The app.
    pub app: AppName,
    /// The component that the route leads to.
    pub component: ComponentName,
    since: u64,
}

/// The owners of all routes of a lattice.
///
/// ```
/// # use weft_lattice_config::{AppName, RouteSpec};
/// # use weft_lattice_config::route_owners::{RouteClaim, RouteOwners};
/// let route = RouteSpec::raw(None, "/".parse()?, "web".parse()?);
/// let (shop, blog): (AppName, AppName) = ("shop".parse()?, "blog".parse()?);
/// let claim = |app, since| RouteClaim { app, route: &route, since };
/// let owners = RouteOwners::new([claim(&shop, 1_000), claim(&blog, 2_000)]);
/// assert_eq!(owners.owner(&route).map(|owner| &owner.app), Some(&shop));
/// assert_eq!(owners.lost(&blog, &[route.clone()]).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteOwners(BTreeMap<(Option<HostPattern>, PathPrefix), RouteOwner>);

impl RouteOwners {
    /// The owners by all claims of a lattice, in any order.
    #[must_use]
    pub fn new<'a>(claims: impl IntoIterator<Item = RouteClaim<'a>>) -> Self {
        let mut owners = BTreeMap::new();
        for RouteClaim { app, route, since } in claims {
            let claimant = RouteOwner {
                app: app.clone(),
                component: route.to.clone(),
                since,
            };
            match owners.entry((route.host.clone(), route.path.clone())) {
                Entry::Vacant(entry) => drop(entry.insert(claimant)),
                Entry::Occupied(mut entry) => {
                    if claimant.rank() < RouteOwner::rank(entry.get()) {
                        entry.insert(claimant);
                    }
                }
            }
        }
        Self(owners)
    }

    /// The owner of a route; `None` if no app claims it.
    #[must_use]
    pub fn owner(&self, route: &RouteSpec) -> Option<&RouteOwner> {
        self.0.get(&(route.host.clone(), route.path.clone()))
    }

    /// True unless the route belongs to another app.
    #[must_use]
    pub fn serves(&self, app: &AppName, route: &RouteSpec) -> bool {
        self.owner(route).is_none_or(|owner| owner.app == *app)
    }

    /// The routes of an app that belong to other apps, with their owners.
    pub fn lost<'a>(
        &'a self,
        app: &'a AppName,
        routes: &'a [RouteSpec],
    ) -> impl Iterator<Item = (&'a RouteSpec, &'a RouteOwner)> {
        routes.iter().filter_map(move |route| {
            let owner = self.owner(route)?;
            (owner.app != *app).then_some((route, owner))
        })
    }
}

impl RouteOwner {
    /// The smallest rank owns the route. An app has a route once, so no two claims have one rank.
    fn rank(&self) -> (u64, &AppName, &ComponentName) {
        (self.since, &self.app, &self.component)
    }
}
