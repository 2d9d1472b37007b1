//! The APIs of routes that serve an interface. Checking one takes a parse of its WIT, and a table
//! is made often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use weft_api::Api;
use weft_lattice_config::{App, AppName, ComponentSpec, RouteSpec, WitSource};

/// The APIs of the routes of this host.
#[derive(Default)]
pub(super) struct ApiCache {
    /// The API of each route of the last table, by its app and pattern.
    apis: Mutex<BTreeMap<(AppName, String), CachedApi>>,
}

struct CachedApi {
    route: RouteSpec,
    wit: Option<WitSource>,
    /// Or the reason why the route cannot be served.
    api: Result<Arc<Api>, Arc<str>>,
}

impl ApiCache {
    /// The API of a route to a component.
    ///
    /// # Errors
    /// The reason why it cannot be served. A deploy checks routes, so the record is of another
    /// version of Weft.
    pub(super) fn get(
        &self,
        app: &App,
        route: &RouteSpec,
        component: &ComponentSpec,
    ) -> Result<Arc<Api>, Arc<str>> {
        let key = (app.metadata.name.clone(), route.pattern());
        // The code under the lock does not panic.
        let mut apis = self.apis.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = apis.get(&key)
            && cached.route == *route
            && cached.wit == component.wit
        {
            return cached.api.clone();
        }
        let api = Api::of_route(route, component).map(Arc::new);
        let api = api.map_err(|mistakes| {
            let messages = mistakes.iter().map(|mistake| mistake.message.as_str());
            let messages: Vec<_> = messages.collect();
            format!("the route cannot be served: {}", messages.join("; ")).into()
        });
        let cached = CachedApi {
            route: route.clone(),
            wit: component.wit.clone(),
            api: Result::clone(&api),
        };
        apis.insert(key, cached);
        api
    }

    /// Drops the APIs of all other routes.
    pub(super) fn retain<'a>(&self, routes: impl Iterator<Item = (&'a App, &'a RouteSpec)>) {
        let keys = routes.map(|(app, route)| (app.metadata.name.clone(), route.pattern()));
        let keys: BTreeSet<_> = keys.collect();
        let mut apis = self.apis.lock().unwrap_or_else(PoisonError::into_inner);
        apis.retain(|key, _| keys.contains(key));
    }
}
