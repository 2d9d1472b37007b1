//! `POST /v1/call`: calls a function of a component, on this host or on another one that runs it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use weft_control::bus_rpc::{self, BusRpcError};
use weft_control::client::ANSWER_TIMEOUT;
use weft_control::{CALL_REPEAT_MAX, CallRequest};
use weft_lattice_config::placement::ComponentId;
use weft_membership::HostId;

use super::Api;
use super::errors::ApiError;
use super::placement_report::PlacementReport;
use super::query::pairs;
use super::router::{Answer, Body, json, read_json, relayed};
use super::targets;

/// The longest wait until a component is ready on a host, as for HTTP requests: a takeover takes
/// less.
const READY_WAIT_MAX: Duration = Duration::from_secs(8);

/// The most hosts that receive a call, one after the other. A host receives it only if the ones
/// before certainly did not execute it.
const HOSTS_TRIED_MAX: usize = 4;

/// The path under which another host executes a call itself. An older release ignores the query,
/// and executes a call itself anyway.
const PATH_HERE: &str = "/v1/call?here=true";

impl Api {
    pub(super) async fn call(&self, request: Request<Bytes>) -> Answer {
        let is_here_only = is_here_only(request.uri().query())?;
        let call: CallRequest = read_json(&request)?;
        if !(1..=CALL_REPEAT_MAX).contains(&call.repeat) {
            let repeat = call.repeat;
            let message = format!("`repeat` is {repeat}; expected 1 to {CALL_REPEAT_MAX}");
            return Err(ApiError::bad_request(message));
        }
        if let Some(answer) = self.call_here(&call).await {
            return answer;
        }
        let view = self.sources.mesh.cluster_view();
        let app = targets::desired_app(&view, &call.app)?;
        targets::check_component(app, &call.component)?;
        if is_here_only {
            return Err(self.not_here(&call.app, &call.component));
        }
        self.call_elsewhere(&call, request.into_body()).await
    }

    /// Executes a call; `None` if this host does not run the component.
    async fn call_here(&self, call: &CallRequest) -> Option<Answer> {
        let app = self.running_with(&call.app, &call.component)?;
        let call = call.clone();
        let running = self
            .sources
            .mesh
            .guest_tasks()
            .spawn(async move { app.call(&call).await });
        Some(match AbortOnDropHandle::new(running).await {
            Ok(Ok(reply)) => json(&reply),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(ApiError::failed(&error)),
        })
    }

    /// Forwards a call to the hosts that run the component, up to the first that executes it.
    async fn call_elsewhere(&self, call: &CallRequest, body: Bytes) -> Answer {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let ready_until = Instant::now() + READY_WAIT_MAX;
        let mut tried = BTreeSet::new();
        let mut rejection = None;
        while tried.len() < HOSTS_TRIED_MAX {
            let callee = self.wait_for_callee(call, &tried, ready_until).await;
            let (host, name) = match callee {
                Callee::Here => match self.call_here(call).await {
                    Some(answer) => return answer,
                    None => continue,
                },
                Callee::Other(host, name) => (host, name),
                Callee::None => break,
            };
            tried.insert(host);
            match self.forward_call(host, &name, body.clone(), deadline).await {
                Ok(answer) => return Ok(answer),
                Err(Rejected(error)) => rejection = Some(error),
            }
        }
        Err(rejection.unwrap_or_else(|| self.no_callee(call)))
    }

    /// Sends a call to a host, which executes it or certainly did not.
    async fn forward_call(
        &self,
        host: HostId,
        name: &str,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response<Body>, Rejected> {
        let request = bus_rpc::Request {
            method: Method::POST.to_string(),
            path: PATH_HERE.to_owned(),
            body,
        };
        let answer = self.sources.mesh.long_request(host, request, deadline);
        match answer.await {
            // The host has just stopped to run the component.
            Ok(Some(answer)) if answer.status().as_u16() == 404 => {
                Err(Rejected(ApiError::of_answer(&answer)))
            }
            Ok(Some(answer)) => Ok(relayed(answer)),
            Ok(None) => Ok(ApiError::lost_call(name, None).response()),
            Err(error) if may_have_run(&error) => {
                Ok(ApiError::lost_call(name, Some(&error)).response())
            }
            Err(error) => Err(Rejected(ApiError::unreachable_host(name, &error))),
        }
    }

    /// The next host for a call. While the component is on its way to a host, waits for it.
    async fn wait_for_callee(
        &self,
        call: &CallRequest,
        tried: &BTreeSet<HostId>,
        until: Instant,
    ) -> Callee {
        let mesh = &self.sources.mesh;
        let (mut membership, mut snapshots) = (mesh.membership(), self.sources.controller.watch());
        let mut replica = mesh.replica();
        loop {
            snapshots.borrow_and_update();
            replica.borrow_and_update();
            let view = membership.borrow_and_update().view.clone();
            if self.app_with(&call.app, &call.component).is_some() {
                return Callee::Here;
            }
            let callees = targets::callees(&view, mesh.me, &call.app, &call.component);
            let next = callees.into_iter().find(|host| !tried.contains(&host.id));
            if let Some(host) = next {
                return Callee::Other(host.id, super::rows::name(host));
            }
            // A host that has just rejected the call is no reason to wait for it again.
            if !tried.is_empty() || !self.is_awaited(call) {
                return Callee::None;
            }
            tokio::select! {
                biased;
                Ok(()) = membership.changed() => {}
                Ok(()) = snapshots.changed() => {}
                Ok(()) = replica.changed() => {}
                () = tokio::time::sleep_until(until) => return Callee::None,
                () = self.stop.cancelled() => return Callee::None,
            }
        }
    }

    /// True if a host is to run the component and has not failed to.
    fn is_awaited(&self, call: &CallRequest) -> bool {
        let Some(id) = component_id(call) else {
            return false;
        };
        PlacementReport::of(&self.sources).is_ok_and(|report| report.is_awaited(&id))
    }

    fn no_callee(&self, call: &CallRequest) -> ApiError {
        let CallRequest { app, component, .. } = call;
        let report = PlacementReport::of(&self.sources);
        let why = component_id(call).zip(report.ok());
        let why = why.map_or(Vec::new(), |(id, report)| report.why_not_ready(&id));
        let mut message = format!("no host runs component `{component}` of app `{app}`");
        if !why.is_empty() {
            message += &format!(": {}", why.join("; "));
        }
        ApiError::refused(message).help(format!(
            "`weft get placements {app} --why` has the hosts and what each of them lacks"
        ))
    }
}

/// The next host for a call.
enum Callee {
    Here,
    /// Another host, by its id and its name.
    Other(HostId, String),
    /// No host, and none is on its way.
    None,
}

/// The error of a host that did not execute the call.
struct Rejected(ApiError);

fn may_have_run(error: &BusRpcError) -> bool {
    match error {
        BusRpcError::Bus(error) => error.may_have_arrived(),
        // The host answered, but not in a form of this release.
        BusRpcError::Answer(_) | BusRpcError::Unexpected => true,
        BusRpcError::TooLarge { .. } | BusRpcError::Encode(_) | BusRpcError::Subject(_) => false,
    }
}

fn component_id(call: &CallRequest) -> Option<ComponentId> {
    Some(ComponentId {
        app: call.app.parse().ok()?,
        component: call.component.parse().ok()?,
    })
}

/// True if only this host may execute the call. Any other query is rejected, so that a typing error
/// calls nothing elsewhere.
fn is_here_only(query: Option<&str>) -> Result<bool, ApiError> {
    match pairs(query).collect::<Vec<_>>()[..] {
        [] => Ok(false),
        [("here", "true")] => Ok(true),
        _ => {
            let query = query.unwrap_or_default();
            let message = format!("expected no query or `here=true`, found `{query}`");
            Err(ApiError::bad_request(message))
        }
    }
}
