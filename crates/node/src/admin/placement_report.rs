//! The placement and its progress: the rows of apps, placements and inventories, the status of an
//! app, and the effects of a deploy. All of them are about the whole lattice.

use std::collections::{BTreeMap, BTreeSet};

use weft_control::operating::{ChangeKind, ComponentStatus, HostChange, RevisionStatus};
use weft_control::rows::{AppRow, InventoryRow, PinRow, PlacementRow};
use weft_control::{AppRecord, PlanReport, StatusReport};
use weft_lattice_config::placement::{ComponentId, HostId, MoveKind, Plan, moves};
use weft_lattice_config::route_owners::RouteOwners;
use weft_lattice_config::{App, AppName, ComponentSpec};
use weft_membership::HostView;
use weft_membership::message::{HostedComponent, Labels, Readiness};
use weft_state::desired::record_codec;
use weft_state::store::Deployed;
use weft_telemetry::logs::now_ms;

use super::Sources;
use super::errors::ApiError;
use super::rows;
use crate::cluster_view::{ClusterView, route_owners};
use crate::controller::{Snapshot, lost_routes};
use crate::event_reporter::pause_reason;
use crate::inventory_publisher::holdings;

/// The planned and the reported placement.
pub(super) struct PlacementReport {
    apps: BTreeMap<AppName, Deployed>,
    pub(super) plan: Plan,
    pub(super) hosts: BTreeMap<HostId, ReportedHost>,
    /// The inputs of placement.
    pub(super) cluster_view: ClusterView,
    route_owners: RouteOwners,
    me: HostId,
    id: weft_membership::HostId,
}

/// A host and its own report.
pub(super) struct ReportedHost {
    pub(super) name: String,
    /// `None` for a host alone.
    pub(super) id: Option<String>,
    pub(super) view: HostView,
    /// Its components; empty if it is dead.
    holdings: Vec<HostedComponent>,
    /// The desired revisions that do not start there, with the reasons, by app.
    failures: BTreeMap<String, (u64, String)>,
}

impl PlacementReport {
    /// The current report.
    pub(super) fn of(sources: &Sources) -> Result<Self, ApiError> {
        let snapshot = sources.controller.snapshot();
        let (mesh, cluster_view) = (&sources.mesh, sources.mesh.cluster_view());
        let me = mesh.me.to_string().parse::<HostId>();
        let me = me.map_err(|_| ApiError::internal())?;
        let has_id = mesh.lattice.is_some();
        let views = cluster_view.membership.view.hosts();
        let hosts = views.filter_map(|view| {
            let host = view.id.to_string().parse::<HostId>().ok()?;
            let (holdings, failures) = match host == me {
                // The components of this host are known before its inventory is published.
                true => (holdings(&snapshot), own_failures(&snapshot)),
                false if view.is_alive() => reported(view),
                false => Default::default(),
            };
            let reported = ReportedHost {
                name: rows::name(view),
                id: has_id.then(|| view.id.to_string()),
                view: view.clone(),
                holdings,
                failures,
            };
            Some((host, reported))
        });
        Ok(Self {
            apps: cluster_view
                .apps()
                .map(|deployed| (deployed.app.metadata.name.clone(), deployed.clone()))
                .collect(),
            plan: cluster_view.plan(),
            hosts: hosts.collect(),
            route_owners: route_owners(&cluster_view.replica),
            cluster_view,
            me,
            id: mesh.me,
        })
    }

    // === reports ===

    /// One row for each desired app.
    pub(super) fn app_rows(&self) -> Vec<AppRow> {
        let apps = self.apps.values();
        apps.map(|deployed| self.app_row(deployed)).collect()
    }

    /// The placements of all components, or of those of one app.
    pub(super) fn placements(&self, app: Option<&AppName>) -> Vec<PlacementRow> {
        let apps = self.apps.iter();
        let apps = apps.filter(|(name, _)| app.is_none_or(|app| app == *name));
        apps.flat_map(|(_, deployed)| self.placements_of(deployed))
            .collect()
    }

    pub(super) fn inventory(&self) -> Vec<InventoryRow> {
        let hosts = self.hosts.values();
        let rows = hosts.flat_map(|host| {
            let holdings = host.holdings.iter();
            holdings.map(|holding| {
                let app = holding.component.app.to_string();
                let failure = host.failures.get(&app);
                let failure = failure.filter(|_| holding.readiness == Readiness::Failed);
                InventoryRow {
                    host: host.name.clone(),
                    id: host.id.clone(),
                    component: holding.component.component.to_string(),
                    revision: holding.revision.0,
                    readiness: holding.readiness.name().to_owned(),
                    reason: failure.map(|(_, reason)| reason.clone()),
                    app,
                }
            })
        });
        rows.collect()
    }

    /// The desired record of an app.
    pub(super) fn record(&self, app: &str) -> Result<AppRecord, ApiError> {
        let deployed = self.deployed(app)?;
        Ok(AppRecord {
            app: deployed.app.clone(),
            revision: deployed.revision,
            changed_at_ms: deployed.changed_at_ms,
        })
    }

    /// Compares an app with its placement.
    pub(super) fn status(&self, app: &str) -> Result<StatusReport, ApiError> {
        let deployed = self.deployed(app)?;
        let placements = self.placements_of(deployed);
        let components = placements.into_iter().map(|placement| ComponentStatus {
            revisions: self.revisions(&placement),
            placement,
        });
        let components: Vec<_> = components.collect();
        let is_ready = |status: &ComponentStatus| status.placement.ready == status.placement.wanted;
        let reason = self.lost_routes(&deployed.app);
        Ok(StatusReport {
            app: app.to_owned(),
            revision: deployed.revision,
            ready: reason.is_none() && components.iter().all(is_ready),
            reason,
            held: self.pause_reason(),
            components,
            notes: self.lost_stores(app),
        })
    }

    /// The stores of an app's providers that hosts have found lost.
    fn lost_stores(&self, app: &str) -> Vec<String> {
        let marks = self.cluster_view.replica.marks().iter();
        let lost = marks.filter_map(|(key, mark)| {
            let [of, provider, _] = record_codec::store_of_mark(key)?;
            let found = mark.lost.as_ref().filter(|_| of == app)?;
            // The text comes from another host and is not trusted.
            Some(format!(
                "the data of provider `{provider}` was lost: {}; restore it, or begin without it: \
                 `weft keyvalue accept {app} {provider}`",
                found.escape_debug()
            ))
        });
        lost.collect()
    }

    /// The changes if `app` were the desired revision.
    pub(super) fn plan(&self, app: &App, changes: Vec<String>) -> PlanReport {
        let name = &app.metadata.name;
        let old = self.apps.get(name);
        let deployed = match old {
            Some(old) if old.app == *app => old.clone(),
            _ => {
                let revision = old.map_or(0, |old| old.revision) + 1;
                Deployed::after(None, revision, now_ms(), app.clone())
            }
        };
        let plan = self.cluster_view.plan_with(deployed.clone());
        let mut hosts: Vec<_> = moves(&self.plan.assignments, &plan.assignments)
            .into_iter()
            .map(|it| {
                let change = match it.kind {
                    MoveKind::Starts => ChangeKind::Starts,
                    MoveKind::Stops => ChangeKind::Stops,
                };
                self.change(&it.component, &it.host, change, it.replicas)
            })
            .collect();
        if let Some(old) = old {
            hosts.extend(self.updated_in_place(&old.app, app, &plan));
        }
        hosts.sort_by(|left, right| {
            let key = |it: &HostChange| (it.app.clone(), it.component.clone(), it.host.clone());
            key(left).cmp(&key(right))
        });
        PlanReport {
            app: name.to_string(),
            revision: old.map(|old| old.revision),
            changes,
            hosts,
            placements: self.planned(&deployed, &plan),
            held: self.pause_reason(),
        }
    }

    /// The components that have a host, and would have none if this host had other labels.
    pub(super) fn unplaced_with(&self, labels: Labels) -> Vec<PlacementRow> {
        let plan = self.cluster_view.plan_with_labels(self.id, labels);
        let rows = self.apps.values();
        let rows = rows.flat_map(|deployed| self.planned(deployed, &plan));
        rows.filter(|row| {
            let has_host = |plan: &Plan| {
                let mut components = plan.assignments.iter();
                components.any(|(id, hosts)| {
                    (id.app.as_str(), id.component.as_str())
                        == (row.app.as_str(), row.component.as_str())
                        && !hosts.is_empty()
                })
            };
            row.placed == 0 && has_host(&self.plan)
        })
        .collect()
    }

    /// The reasons a component stays on a draining host; `None` if it is moving to another one.
    pub(super) fn stays(&self, component: &ComponentId) -> Option<Vec<String>> {
        let hosts = self.plan.assignments.get(component)?;
        let is_placed_elsewhere = hosts.iter().any(|host| *host != self.me);
        (!is_placed_elsewhere).then(|| self.unplaced(component, &self.plan))
    }

    /// True if a host is to run the component and has not failed to.
    pub(super) fn is_awaited(&self, id: &ComponentId) -> bool {
        let hosts = self.plan.assignments.get(id).into_iter().flatten();
        let revision = self.apps.get(&id.app).map(|deployed| deployed.revision);
        hosts.into_iter().any(|host| {
            let reported = self.hosts.get(host);
            let failure = reported.and_then(|host| host.failures.get(id.app.as_str()));
            failure.map(|(failed, _)| *failed) != revision
        })
    }

    /// The reasons why a component is not ready, a sentence each.
    pub(super) fn why_not_ready(&self, id: &ComponentId) -> Vec<String> {
        let rows = self.placements(Some(&id.app)).into_iter();
        let mut rows = rows.filter(|row| row.component == id.component.as_str());
        rows.next().map_or_else(Vec::new, |row| row.why)
    }

    /// The reason placement is paused, if it is.
    pub(super) fn pause_reason(&self) -> Option<String> {
        let pause = self.cluster_view.membership.pause;
        pause.map(|pause| pause_reason(pause).to_owned())
    }

    // === helpers ===

    fn deployed(&self, app: &str) -> Result<&Deployed, ApiError> {
        let mut deployed = self.apps.iter();
        let found = deployed.find(|(name, _)| name.as_str() == app);
        found.map(|(_, deployed)| deployed).ok_or_else(|| {
            let names: Vec<_> = self.apps.keys().map(AppName::as_str).collect();
            ApiError::unknown_app(app, &names)
        })
    }

    /// The placements of an app with their progress.
    fn placements_of(&self, deployed: &Deployed) -> Vec<PlacementRow> {
        let rows = self.planned(deployed, &self.plan).into_iter();
        rows.map(|row| self.with_progress(row)).collect()
    }

    /// The placements of an app by a plan.
    fn planned(&self, deployed: &Deployed, plan: &Plan) -> Vec<PlacementRow> {
        let components = deployed.app.spec.components.iter();
        components
            .map(|component| self.planned_row(deployed, component, plan))
            .collect()
    }

    fn planned_row(
        &self,
        deployed: &Deployed,
        component: &ComponentSpec,
        plan: &Plan,
    ) -> PlacementRow {
        let app = &deployed.app.metadata.name;
        let id = ComponentId {
            app: app.clone(),
            component: component.name.clone(),
        };
        let hosts = plan.assignments.get(&id).map_or(&[][..], Vec::as_slice);
        let placed = count(hosts.len());
        let unplaced = plan.unplaced.iter().find(|it| it.component == id);
        let pins = plan.pins.get(&id).map_or(&[][..], Vec::as_slice);
        let pins = pins.iter().map(|pin| PinRow {
            store: pin.store.to_string(),
            host: self.name(&pin.host),
        });
        PlacementRow {
            app: app.to_string(),
            component: component.name.to_string(),
            revision: deployed.revision,
            wanted: unplaced.map_or(placed, |it| it.wanted),
            placed,
            ready: 0,
            hosts: hosts.iter().map(|host| self.name(host)).collect(),
            why: self.unplaced(&id, plan),
            pins: pins.collect(),
            serving: Vec::new(),
            digest: Some(rows::digest(&component.source)),
            fits: None,
        }
    }

    /// Adds what hosts report to a row of the current plan.
    fn with_progress(&self, mut row: PlacementRow) -> PlacementRow {
        let Some(id) = component_id(&row) else {
            return row;
        };
        let assigned = self.plan.assignments.get(&id);
        let assigned = assigned.map_or(&[][..], Vec::as_slice);
        let serving = self.serving(&id, row.revision);
        let ready = assigned.iter().filter(|host| serving.contains(host));
        let ready = count(ready.count());
        // A host that placement would not choose now serves until another one does.
        let others = serving.iter().filter(|host| !assigned.contains(host));
        let missing = row.wanted.saturating_sub(row.placed);
        row.ready = ready + count(others.count()).min(missing);
        row.serving = serving.iter().map(|host| self.name(host)).collect();
        row.why.extend(self.progress(&id, &row, assigned, &serving));
        row
    }

    /// The hosts on which a component is ready at a revision.
    fn serving(&self, id: &ComponentId, revision: u64) -> Vec<HostId> {
        let hosts = self.hosts.iter();
        let hosts = hosts.filter(|(_, host)| host.holds(id, revision) == Some(Readiness::Ready));
        hosts.map(|(id, _)| id.clone()).collect()
    }

    /// The routes of an app that belong to other apps, as a reason; `None` if there are none.
    fn lost_routes(&self, app: &App) -> Option<String> {
        lost_routes(&self.route_owners, app)
    }

    fn app_row(&self, deployed: &Deployed) -> AppRow {
        let spec = &deployed.app.spec;
        let name = &deployed.app.metadata.name;
        let placements = self.placements_of(deployed);
        let sum = |of: fn(&PlacementRow) -> u32| placements.iter().map(of).sum::<u32>();
        let (wanted, ready) = (sum(|row| row.wanted), sum(|row| row.ready));
        let has_failed = self.hosts.values().any(|host| {
            let failure = host.failures.get(name.as_str());
            failure.is_some_and(|(revision, _)| *revision == deployed.revision)
        });
        let newest = placements.iter().map(|row| self.newest_serving(row));
        let serving = newest.collect::<Option<Vec<_>>>();
        let serving = serving.and_then(|newest| newest.into_iter().min());
        let lost = self.lost_routes(&deployed.app);
        let (status, revision) = match serving {
            _ if ready == wanted && lost.is_some() => ("failed", deployed.revision),
            _ if ready == wanted => ("ready", deployed.revision),
            Some(serving) if has_failed => ("behind", serving),
            None if has_failed => ("failed", deployed.revision),
            _ => ("waiting", deployed.revision),
        };
        AppRow {
            app: name.to_string(),
            revision,
            status: status.to_owned(),
            wanted,
            ready,
            reason: match ready == wanted {
                true => lost,
                false => Some(self.app_reason(&placements)),
            },
            components: spec.components.len(),
            links: spec.links.len(),
            routes: spec.routes.len(),
            changed_at_ms: deployed.changed_at_ms,
            labels: deployed.app.metadata.labels.clone(),
        }
    }

    /// The newest revision of a component that is ready on a host.
    fn newest_serving(&self, row: &PlacementRow) -> Option<u64> {
        let id = component_id(row)?;
        let holdings = self.hosts.values().flat_map(|host| host.held(&id));
        let ready = holdings.filter(|held| held.readiness == Readiness::Ready);
        ready.map(|held| held.revision.0).max()
    }

    fn revisions(&self, placement: &PlacementRow) -> Vec<RevisionStatus> {
        let mut revisions: BTreeMap<u64, RevisionStatus> = BTreeMap::new();
        let id = component_id(placement);
        let hosts = self.hosts.values();
        let holdings = hosts.flat_map(|host| id.iter().flat_map(|id| host.held(id)));
        for holding in holdings {
            let revision = holding.revision.0;
            let status = revisions.entry(revision).or_insert(RevisionStatus {
                revision,
                ready: 0,
                failed: 0,
                other: 0,
            });
            match holding.readiness {
                Readiness::Ready => status.ready += 1,
                Readiness::Failed => status.failed += 1,
                Readiness::Preparing | Readiness::Stopping => status.other += 1,
            }
        }
        revisions.into_values().collect()
    }

    /// The components that stay on their hosts with other code or settings.
    fn updated_in_place(&self, old: &App, new: &App, plan: &Plan) -> Vec<HostChange> {
        let changed = new.spec.components.iter().filter(|component| {
            let before = old.spec.components.iter();
            let mut before = before.filter(|it| it.name == component.name);
            before.next().is_some_and(|before| before != *component)
        });
        let changes = changed.flat_map(|component| {
            let id = ComponentId {
                app: new.metadata.name.clone(),
                component: component.name.clone(),
            };
            let hosts = |plan: &Plan| plan.assignments.get(&id).cloned().unwrap_or_default();
            let before: BTreeSet<_> = hosts(&self.plan).into_iter().collect();
            let after = hosts(plan);
            let stays: BTreeSet<_> = after.iter().filter(|host| before.contains(*host)).collect();
            let changes = stays.into_iter().map(|host| {
                let replicas = after.iter().filter(|it| *it == host).count();
                self.change(&id, host, ChangeKind::Changes, replicas)
            });
            changes.collect::<Vec<_>>()
        });
        changes.collect()
    }

    fn change(
        &self,
        id: &ComponentId,
        host: &HostId,
        change: ChangeKind,
        replicas: usize,
    ) -> HostChange {
        HostChange {
            host: self.name(host),
            id: self.hosts.get(host).and_then(|named| named.id.clone()),
            change,
            app: id.app.to_string(),
            component: id.component.to_string(),
            replicas,
        }
    }

    pub(super) fn name(&self, host: &HostId) -> String {
        match self.hosts.get(host) {
            Some(named) => named.name.clone(),
            None => host.to_string(),
        }
    }
}

impl ReportedHost {
    /// The revisions of a component on the host.
    pub(super) fn held<'h>(
        &'h self,
        id: &'h ComponentId,
    ) -> impl Iterator<Item = &'h HostedComponent> {
        let holdings = self.holdings.iter();
        holdings.filter(move |held| held.component == *id)
    }

    /// The readiness of a revision of a component.
    pub(super) fn holds(&self, id: &ComponentId, revision: u64) -> Option<Readiness> {
        let mut held = self.held(id);
        let held = held.find(|held| held.revision.0 == revision)?;
        Some(held.readiness)
    }

    /// The reason why a revision of an app does not start.
    pub(super) fn failure(&self, app: &AppName, revision: u64) -> Option<&str> {
        let (failed, reason) = self.failures.get(app.as_str())?;
        (*failed == revision).then_some(reason)
    }
}

type Reported = (Vec<HostedComponent>, BTreeMap<String, (u64, String)>);

/// The components and failures that another host reports.
fn reported(view: &HostView) -> Reported {
    let Some(contents) = &view.contents else {
        return Reported::default();
    };
    let failures = contents.failures.iter().map(|failure| {
        // The text comes from another host and is not trusted.
        let reason = failure.reason.escape_debug().to_string();
        (failure.app.to_string(), (failure.revision.0, reason))
    });
    (contents.components.clone(), failures.collect())
}

fn own_failures(snapshot: &Snapshot) -> BTreeMap<String, (u64, String)> {
    let failed = snapshot.failed.iter();
    let failed = failed.map(|(app, failed)| {
        let failure = (failed.deployed.revision, failed.reason.clone());
        (app.clone(), failure)
    });
    failed.collect()
}

/// The component of a row, whose names come from the desired state.
pub(super) fn component_id(row: &PlacementRow) -> Option<ComponentId> {
    Some(ComponentId {
        app: row.app.parse().ok()?,
        component: row.component.parse().ok()?,
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
