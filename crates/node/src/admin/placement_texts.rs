//! Placement in words: why a replica is not placed or not ready, and why a host is chosen or not.

use std::collections::BTreeSet;

use weft_control::rows::{FitsRow, HostFitRow, PlacementRow};
use weft_lattice_config::placement::{Cause, ComponentId, Explanation, HostFit, HostId, Plan};
use weft_lattice_config::{AppName, LabelName, LabelValue, LabelValues};
use weft_membership::HostView;
use weft_membership::message::{HostCondition, Readiness};

use super::errors::ApiError;
use super::placement_report::{PlacementReport, ReportedHost, component_id};
use super::rows;

/// The most hosts that the reasons for one component name; for more there is `--why`.
const HOSTS_NAMED_MAX: usize = 8;

/// The most components that the reason for an app names; for more there is `weft status`.
const COMPONENTS_NAMED_MAX: usize = 3;

/// The most pairs of a component and a host in one explanation: some megabytes of JSON.
const FITS_MAX: usize = 10_000;

impl PlacementReport {
    // === why not ===

    /// The reasons why replicas of a component have no host, a sentence each.
    pub(super) fn unplaced(&self, id: &ComponentId, plan: &Plan) -> Vec<String> {
        let unplaced = plan.unplaced.iter().find(|it| it.component == *id);
        let Some(unplaced) = unplaced else {
            return Vec::new();
        };
        let reasons = unplaced.reasons.iter();
        let reasons = reasons.map(|reason| self.named(reason.to_string(), &reason.cause));
        let absent = self.hosts.values().filter(|host| is_absent(&host.view));
        let absent = absent.filter(|host| host.view.is_alive()).map(|host| {
            let status = rows::status(&host.view);
            format!("{}: {status}, gets no new work", host.name)
        });
        let mut absent: Vec<_> = absent.collect();
        shorten(&mut absent);
        reasons.chain(absent).collect()
    }

    /// The reasons why placed replicas are not ready, and the hosts that serve in their place.
    pub(super) fn progress(
        &self,
        id: &ComponentId,
        row: &PlacementRow,
        assigned: &[HostId],
        serving: &[HostId],
    ) -> Vec<String> {
        let waiting: BTreeSet<_> = assigned
            .iter()
            .filter(|host| !serving.contains(host))
            .collect();
        let waiting = waiting.into_iter().map(|host| {
            let reported = self.hosts.get(host);
            let reason = reported.map_or_else(String::new, |host| awaited(host, id, row.revision));
            format!("{}: {reason}", self.name(host))
        });
        let others = serving.iter().filter(|host| !assigned.contains(host));
        let others = others.filter(|_| row.placed < row.wanted);
        let others = others.map(|host| {
            let name = self.name(host);
            format!("{name}: serves until another host does, and would not be chosen now")
        });
        let mut reasons: Vec<_> = waiting.chain(others).collect();
        shorten(&mut reasons);
        reasons
    }

    /// The reason why an app is not ready: that of its components.
    pub(super) fn app_reason(&self, placements: &[PlacementRow]) -> String {
        let missing = placements.iter().filter(|row| row.ready < row.wanted);
        let mut reasons: Vec<_> = missing
            .map(|row| {
                let PlacementRow {
                    component,
                    ready,
                    wanted,
                    why,
                    ..
                } = row;
                format!("{component} {ready}/{wanted}: {}", why.join(", "))
            })
            .collect();
        let more = reasons.len().saturating_sub(COMPONENTS_NAMED_MAX);
        reasons.truncate(COMPONENTS_NAMED_MAX);
        if more > 0 {
            reasons.push(format!("and {more} more components"));
        }
        let pause = self.pause_reason();
        let pause = pause.map(|pause| format!("placement is paused: {pause}"));
        pause
            .into_iter()
            .chain(reasons)
            .collect::<Vec<_>>()
            .join("; ")
    }

    // === why there ===

    /// The placements of all components or of one app, with the standing of every host.
    ///
    /// # Errors
    /// If there are too many, or the app is not deployed.
    pub(super) fn explained_placements(
        &self,
        app: Option<&AppName>,
    ) -> Result<Vec<PlacementRow>, ApiError> {
        let mut rows = self.placements(app);
        let pairs = rows.len().saturating_mul(self.hosts.len());
        if pairs > FITS_MAX {
            let message = format!(
                "too many components and hosts to explain at once: expected at most {FITS_MAX} \
                 pairs, found {pairs}"
            );
            return Err(ApiError::refused(message).help("give the name of an app"));
        }
        let explained = self.cluster_view.explain(app);
        for row in &mut rows {
            let id = component_id(row);
            row.fits = id.and_then(|id| match explained.get(&id) {
                Some(explanation) => Some(self.fits(&id, explanation)),
                None => self.fits_alone(&id, row),
            });
        }
        Ok(rows)
    }

    fn fits(&self, id: &ComponentId, explanation: &Explanation) -> FitsRow {
        let hosts = explanation.hosts.iter().enumerate();
        let last = explanation.hosts.iter().rposition(|fit| fit.replicas > 0);
        let hosts = hosts.map(|(at, fit)| {
            let reported = self.hosts.get(&fit.host);
            let serves = reported.is_some_and(|host| {
                let mut held = host.held(id);
                held.any(|held| held.readiness == Readiness::Ready)
            });
            let view = reported.map(|host| &host.view);
            let status = view.map_or("unknown", rows::status);
            let is_after = last.is_none_or(|last| last < at);
            HostFitRow {
                host: self.name(&fit.host),
                id: reported.and_then(|host| host.id.clone()),
                status: status.to_owned(),
                order: at + 1,
                replicas: fit.replicas,
                serves,
                fits: fit.obstacle.is_none(),
                labels: view.map_or_else(Vec::new, |view| labels(view, explanation)),
                capacity: fit.capacity,
                free: fit.free,
                why: self.verdict(explanation, fit, status, serves, is_after),
            }
        });
        FitsRow {
            together: explanation
                .together
                .iter()
                .map(|id| id.component.to_string())
                .collect(),
            weight: explanation.weight,
            require: explanation.require.iter().map(label_text).collect(),
            prefer: explanation.prefer.iter().map(label_text).collect(),
            spread: explanation.spread.as_ref().map(ToString::to_string),
            hosts: hosts.collect(),
        }
    }

    fn verdict(
        &self,
        explanation: &Explanation,
        fit: &HostFit,
        status: &str,
        serves: bool,
        is_after: bool,
    ) -> String {
        let obstacle = fit.obstacle.as_ref();
        let obstacle = obstacle.map(|cause| self.named(cause.to_string(), cause));
        let mut text = match (fit.takes_part, fit.replicas, obstacle) {
            (false, _, None) => format!("{status}; would fit"),
            (false, _, Some(cause)) => format!("{status}; would not fit: {cause}"),
            (true, 1, _) => "placed".to_owned(),
            (true, 2.., _) => format!("placed: {} replicas", fit.replicas),
            (true, 0, Some(cause)) => cause,
            (true, 0, None) => spare(explanation, fit, is_after),
        };
        if serves && fit.replicas == 0 {
            text += "; serves until another host does";
        }
        text
    }

    /// A host alone runs every component, whatever its requirements.
    fn fits_alone(&self, id: &ComponentId, row: &PlacementRow) -> Option<FitsRow> {
        let host = self.hosts.values().next()?;
        let mut held = host.held(id);
        Some(FitsRow {
            together: vec![row.component.clone()],
            weight: 0,
            require: Vec::new(),
            prefer: Vec::new(),
            spread: None,
            hosts: vec![HostFitRow {
                host: host.name.clone(),
                id: None,
                status: rows::status(&host.view).to_owned(),
                order: 1,
                replicas: 1,
                serves: held.any(|held| held.readiness == Readiness::Ready),
                fits: true,
                labels: Vec::new(),
                capacity: None,
                free: None,
                why: "placed: a host alone runs every component".to_owned(),
            }],
        })
    }

    /// The text of a cause with the display name of the host in place of its id.
    fn named(&self, text: String, cause: &Cause) -> String {
        match cause {
            Cause::StoreAway { home, .. } | Cause::StoreElsewhere { home, .. } => {
                text.replace(home.as_str(), &self.name(home))
            }
            Cause::NoHosts
            | Cause::Draining
            | Cause::Frozen
            | Cause::Label { .. }
            | Cause::AntiAffinity { .. }
            | Cause::OnePerHost
            | Cause::Full { .. }
            | Cause::Capacity { .. } => text,
        }
    }
}

/// True if a host takes no part in placement.
pub(super) fn is_absent(view: &HostView) -> bool {
    !view.is_placeable() && !view.is_draining()
}

/// The reason why a placed replica is not ready.
fn awaited(host: &ReportedHost, id: &ComponentId, revision: u64) -> String {
    if let Some(reason) = host.failure(&id.app, revision) {
        return format!("revision {revision} does not start: {reason}");
    }
    let contents = host.view.contents.as_ref();
    let is_missing = contents.is_some_and(|contents| {
        let mut conditions = contents.conditions.iter();
        conditions.any(|condition| *condition == HostCondition::ArtifactsMissing)
    });
    let serving = host
        .held(id)
        .filter(|held| held.readiness == Readiness::Ready);
    let serving = serving.map(|held| held.revision.0).max();
    let mut reason = match host.holds(id, revision) {
        Some(readiness) => format!("revision {revision} is {}", readiness.name()),
        None if is_missing => "an artifact is missing".to_owned(),
        None => format!("revision {revision} is not reported yet"),
    };
    if let Some(serving) = serving {
        reason += &format!(", and revision {serving} serves");
    }
    reason
}

/// The reason why a host on which a replica fits has none.
fn spare(explanation: &Explanation, fit: &HostFit, is_after: bool) -> String {
    if let (Some(spread), 1..) = (&explanation.spread, fit.same_value) {
        return format!("fits; its `{spread}` has a replica");
    }
    match &fit.unmet[..] {
        [] if is_after => "fits; after the chosen hosts in the order".to_owned(),
        [] => "fits".to_owned(),
        unmet => {
            let unmet: Vec<_> = unmet.iter().map(|label| format!("`{label}`")).collect();
            format!("fits; lacks a preferred value of {}", unmet.join(", "))
        }
    }
}

/// The labels of a host that matter to a component.
fn labels(host: &HostView, explanation: &Explanation) -> Vec<String> {
    let named = explanation.require.iter().chain(&explanation.prefer);
    let names: BTreeSet<_> = named
        .map(|(name, _)| name)
        .chain(&explanation.spread)
        .collect();
    let labels = names.into_iter().filter_map(|name| {
        let value = host.label(name.as_str())?;
        Some(format!("{name}={value}"))
    });
    labels.collect()
}

fn label_text((name, values): &(LabelName, LabelValues)) -> String {
    let values = values.as_slice().iter().map(LabelValue::as_str);
    format!("{name}={}", values.collect::<Vec<_>>().join("|"))
}

/// Bounds a list of reasons, one for each host.
fn shorten(reasons: &mut Vec<String>) {
    let more = reasons.len().saturating_sub(HOSTS_NAMED_MAX);
    reasons.truncate(HOSTS_NAMED_MAX);
    if more > 0 {
        reasons.push(format!("and {more} more hosts"));
    }
}
