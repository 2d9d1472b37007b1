//! Apps and components that requests name: looked up in the desired state of the lattice, because
//! this host may run none of them.

use std::sync::Arc;

use weft_lattice_config::App;
use weft_membership::message::{HostState, HostedComponent, Readiness};
use weft_membership::{HostId, HostView, Liveness, Standing, View};

use super::Api;
use super::errors::ApiError;
use crate::cluster_view::ClusterView;
use crate::controller::{AppState, HostedApp};
use crate::runtime::RunningApp;

impl Api {
    /// The app on this host, if a component of it runs here.
    pub(super) fn app_with(&self, app: &str, component: &str) -> Option<Arc<HostedApp>> {
        let snapshot = self.sources.controller.snapshot();
        let hosted = snapshot.apps.get(app)?;
        hosted.runs(component).then(|| hosted.clone())
    }

    /// The running app, if a component of it runs here.
    pub(super) fn running_with(&self, app: &str, component: &str) -> Option<Arc<dyn RunningApp>> {
        self.app_with(app, component)?.running().cloned()
    }

    /// The error for a component that does not run on this host, although it is deployed.
    pub(super) fn not_here(&self, app: &str, component: &str) -> ApiError {
        let host = &self.sources.about.name;
        let snapshot = self.sources.controller.snapshot();
        let state = snapshot.apps.get(app).map(|hosted| &hosted.state);
        let reason = match state {
            Some(AppState::Failed(reason)) => format!(": {reason}"),
            Some(AppState::Ready(_)) | None => String::new(),
        };
        let message =
            format!("component `{component}` of app `{app}` does not run on host `{host}`{reason}");
        ApiError::not_found(message).help(format!(
            "`weft get placements {app} --why` shows where it runs, and why"
        ))
    }
}

impl HostedApp {
    /// True if a component of the app runs on this host.
    pub(super) fn runs(&self, component: &str) -> bool {
        let Some(running) = self.running() else {
            return false;
        };
        let components = running.components();
        components.iter().any(|found| found.name == component)
    }
}

/// The desired app of this name.
///
/// # Errors
/// If no app has the name; the error lists the existing ones.
pub(super) fn desired_app<'v>(view: &'v ClusterView, app: &str) -> Result<&'v App, ApiError> {
    let mut apps = view.apps().map(|deployed| &deployed.app);
    let found = apps.find(|found| found.metadata.name.as_str() == app);
    found.ok_or_else(|| {
        let names = view.apps().map(|deployed| &deployed.app.metadata.name);
        let names: Vec<_> = names.map(|name| name.as_str()).collect();
        ApiError::unknown_app(app, &names)
    })
}

/// Checks that an app has a component.
///
/// # Errors
/// If it has not; the error lists the existing ones.
pub(super) fn check_component(app: &App, component: &str) -> Result<(), ApiError> {
    let components = app.spec.components.iter();
    let names: Vec<_> = components
        .map(|component| component.name.as_str())
        .collect();
    if names.contains(&component) {
        return Ok(());
    }
    let app = app.metadata.name.as_str();
    Err(ApiError::unknown_component(app, component, &names))
}

/// The other hosts on which a component is ready, the best first: those that routing prefers, then
/// those with the newest revision, then the least loaded.
pub(super) fn callees<'v>(
    view: &'v View,
    me: HostId,
    app: &str,
    component: &str,
) -> Vec<&'v HostView> {
    let revision = |host: &HostView| {
        let is_ready = |held: &&HostedComponent| {
            held.component.app.as_str() == app
                && held.component.component.as_str() == component
                && held.readiness == Readiness::Ready
        };
        let contents = host.contents.as_ref()?;
        let ready = contents.components.iter().filter(is_ready);
        ready.map(|held| held.revision).max()
    };
    let others = view.hosts().filter(|host| host.id != me && host.is_alive());
    let mut callees: Vec<_> = others
        .filter_map(|host| Some((host, revision(host)?)))
        .collect();
    callees.sort_by_key(|(host, revision)| {
        let is_spare = host.liveness != Liveness::Live
            || host.standing != Standing::Steady
            || host.state == HostState::Draining;
        (is_spare, std::cmp::Reverse(*revision), host.load.running)
    });
    callees.into_iter().map(|(host, _)| host).collect()
}
