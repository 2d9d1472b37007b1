//! The placement and its progress: the rows of placements and inventories, the status of an app,
//! and the effects of a deploy.

use std::collections::{BTreeMap, BTreeSet};

use weft_control::operating::{ChangeKind, ComponentStatus, HostChange, RevisionStatus};
use weft_control::rows::{InventoryRow, PinRow, PlacementRow};
use weft_control::{PlanReport, StatusReport};
use weft_lattice_config::placement::{Cause, ComponentId, HostId, MoveKind, Plan, Reason, moves};
use weft_lattice_config::{App, AppName};
use weft_membership::message::{HostedComponent, Labels, Readiness};
use weft_state::store::Deployed;
use weft_telemetry::logs::now_ms;

use super::Sources;
use super::errors::ApiError;
use crate::cluster_view::{ClusterView, route_owners};
use crate::controller::{Snapshot, lost_routes};
use crate::event_reporter::pause_reason;
use crate::inventory_publisher::holdings;

/// The planned and the reported placement.
pub(super) struct PlacementReport {
    apps: BTreeMap<AppName, Deployed>,
    plan: Plan,
    hosts: BTreeMap<HostId, HostNames>,
    /// The inventories of live hosts.
    holdings: Vec<(HostId, HostedComponent)>,
    /// The reason this host cannot run an app, by app.
    failures: BTreeMap<String, String>,
    /// The inputs of placement.
    cluster_view: ClusterView,
    me: HostId,
    id: weft_membership::HostId,
}

/// The names of a host.
struct HostNames {
    name: String,
    /// `None` for a host alone.
    id: Option<String>,
}

impl PlacementReport {
    /// The current report.
    pub(super) fn of(sources: &Sources) -> Result<Self, ApiError> {
        let snapshot = sources.controller.snapshot();
        let (mesh, cluster_view) = (&sources.mesh, sources.mesh.cluster_view());
        let me = mesh.me.to_string().parse::<HostId>();
        let me = me.map_err(|_| ApiError::internal())?;
        let (mut hosts, mut reported) = (BTreeMap::new(), Vec::new());
        for view in cluster_view.membership.view.hosts() {
            let id = view.id.to_string();
            let Ok(host) = id.parse::<HostId>() else {
                continue;
            };
            let contents = view.contents.clone().unwrap_or_default();
            // The components of this host are known before its inventory is published.
            let held = match host == me {
                true => holdings(&snapshot),
                false if view.is_alive() => contents.components.clone(),
                false => Vec::new(),
            };
            reported.extend(held.into_iter().map(|holding| (host.clone(), holding)));
            let name = match contents.name.as_str() {
                "" => view.id.short(),
                name => name.to_owned(),
            };
            let id = mesh.lattice.is_some().then_some(id);
            hosts.insert(host, HostNames { name, id });
        }
        Ok(Self {
            apps: cluster_view
                .apps()
                .map(|deployed| (deployed.app.metadata.name.clone(), deployed.clone()))
                .collect(),
            plan: cluster_view.plan(),
            hosts,
            holdings: reported,
            failures: failures(&snapshot),
            cluster_view,
            me,
            id: mesh.me,
        })
    }

    // === reports ===

    pub(super) fn placements(&self) -> Vec<PlacementRow> {
        let apps = self.apps.values();
        apps.flat_map(|deployed| self.placements_of(deployed, &self.plan))
            .collect()
    }

    pub(super) fn inventory(&self) -> Vec<InventoryRow> {
        let rows = self.holdings.iter().map(|(host, holding)| {
            let app = holding.component.app.to_string();
            let has_failed = holding.readiness == Readiness::Failed && *host == self.me;
            InventoryRow {
                host: self.name(host),
                id: self.hosts.get(host).and_then(|named| named.id.clone()),
                component: holding.component.component.to_string(),
                revision: holding.revision.0,
                readiness: holding.readiness.name().to_owned(),
                reason: self.failures.get(&app).filter(|_| has_failed).cloned(),
                app,
            }
        });
        rows.collect()
    }

    /// Compares an app with its placement.
    pub(super) fn status(&self, app: &str) -> Result<StatusReport, ApiError> {
        let names: Vec<_> = self.apps.keys().map(AppName::as_str).collect();
        let deployed = self
            .apps
            .values()
            .find(|deployed| deployed.app.metadata.name.as_str() == app)
            .ok_or_else(|| ApiError::unknown("app", app, &names))?;
        let placements = self.placements_of(deployed, &self.plan);
        let components = placements.into_iter().map(|placement| ComponentStatus {
            revisions: self.revisions(&placement),
            placement,
        });
        let components: Vec<_> = components.collect();
        let is_ready = |status: &ComponentStatus| status.placement.ready == status.placement.wanted;
        let owners = route_owners(&self.cluster_view.replica);
        let reason = lost_routes(&owners, &deployed.app);
        Ok(StatusReport {
            app: app.to_owned(),
            revision: deployed.revision,
            ready: reason.is_none() && components.iter().all(is_ready),
            reason,
            held: self.pause_reason(),
            components,
        })
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
            placements: self.placements_of(&deployed, &plan),
            held: self.pause_reason(),
        }
    }

    /// The components that have a host, and would have none if this host had other labels.
    pub(super) fn unplaced_with(&self, labels: Labels) -> Vec<PlacementRow> {
        let plan = self.cluster_view.plan_with_labels(self.id, labels);
        let rows = self.apps.values();
        let rows = rows.flat_map(|deployed| self.placements_of(deployed, &plan));
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
        (!is_placed_elsewhere).then(|| self.why(component, &self.plan))
    }

    /// The reason placement is paused, if it is.
    fn pause_reason(&self) -> Option<String> {
        let pause = self.cluster_view.membership.pause;
        pause.map(|pause| pause_reason(pause).to_owned())
    }

    // === helpers ===

    fn placements_of(&self, deployed: &Deployed, plan: &Plan) -> Vec<PlacementRow> {
        let app = &deployed.app;
        let components = app.spec.components.iter().map(|component| {
            let id = ComponentId {
                app: app.metadata.name.clone(),
                component: component.name.clone(),
            };
            let hosts = plan.assignments.get(&id).map_or(&[][..], Vec::as_slice);
            let is_ready =
                |host: &&HostId| self.has_holding(host, &id, deployed.revision, Readiness::Ready);
            let placed = count(hosts.len());
            let unplaced = plan.unplaced.iter().find(|it| it.component == id);
            let pins = plan.pins.get(&id).map_or(&[][..], Vec::as_slice);
            PlacementRow {
                app: app.metadata.name.to_string(),
                component: component.name.to_string(),
                revision: deployed.revision,
                wanted: unplaced.map_or(placed, |it| it.wanted),
                placed,
                ready: count(hosts.iter().filter(is_ready).count()),
                hosts: hosts.iter().map(|host| self.name(host)).collect(),
                why: self.why(&id, plan),
                pins: pins
                    .iter()
                    .map(|pin| PinRow {
                        store: pin.store.to_string(),
                        host: self.name(&pin.host),
                    })
                    .collect(),
            }
        });
        components.collect()
    }

    fn has_holding(
        &self,
        host: &HostId,
        id: &ComponentId,
        revision: u64,
        readiness: Readiness,
    ) -> bool {
        self.holdings.iter().any(|(holder, holding)| {
            holder == host
                && (&holding.component.app, &holding.component.component)
                    == (&id.app, &id.component)
                && (holding.revision.0, holding.readiness) == (revision, readiness)
        })
    }

    fn revisions(&self, placement: &PlacementRow) -> Vec<RevisionStatus> {
        let mut revisions: BTreeMap<u64, RevisionStatus> = BTreeMap::new();
        for (_, holding) in &self.holdings {
            let component = &holding.component;
            if (component.app.as_str(), component.component.as_str())
                != (placement.app.as_str(), placement.component.as_str())
            {
                continue;
            }
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

    fn why(&self, id: &ComponentId, plan: &Plan) -> Vec<String> {
        let unplaced = plan.unplaced.iter().find(|it| it.component == *id);
        let reasons = unplaced.map_or(&[][..], |it| it.reasons.as_slice());
        reasons
            .iter()
            .map(|reason| self.reason_text(reason))
            .collect()
    }

    /// A reason with display names in place of host ids.
    fn reason_text(&self, reason: &Reason) -> String {
        let text = reason.to_string();
        match &reason.cause {
            Cause::StoreAway { home, .. } | Cause::StoreElsewhere { home, .. } => {
                text.replace(home.as_str(), &self.name(home))
            }
            _ => text,
        }
    }

    fn name(&self, host: &HostId) -> String {
        match self.hosts.get(host) {
            Some(named) => named.name.clone(),
            None => host.to_string(),
        }
    }
}

fn failures(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let failed = snapshot.failed.iter();
    let failed = failed.map(|(app, failed)| (app.clone(), failed.reason.clone()));
    failed.collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
