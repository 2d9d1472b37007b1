//! Operations: status, plans, drains, labels, and requests that are forwarded to another host.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request};
use http_body_util::BodyExt;
use tokio::time::Instant;
use weft_control::client::ANSWER_TIMEOUT;
use weft_control::collection::GRACE_S_MIN;
use weft_control::operating::Staying;
use weft_control::{
    AcceptReport, AcceptRequest, CollectionReport, CollectionRequest, DeployRequest, DrainReport,
    DrainRequest, HostRef, LabelReport, LabelRequest, bus_rpc,
};
use weft_membership::HostId;

use super::errors::ApiError;
use super::fault::is_check;
use super::placement_report::PlacementReport;
use super::router::{Answer, checked, json, read_json, relayed};
use super::{Api, rows};
use crate::Joined;
use crate::LabelsError;
use crate::collector::CollectionOptions;
use crate::inventory_publisher::holdings;
use crate::store_marks::AcceptError;
use weft_state::blocking;
use weft_state::collection::GRACE;

impl Api {
    /// Answers an operation on this host.
    pub(super) async fn operate(&self, what: &str, request: Request<Bytes>) -> Answer {
        let query = request.uri().query().unwrap_or_default();
        match (request.method(), what) {
            (&Method::GET, "status") => {
                let app = query.strip_prefix("app=").ok_or_else(|| {
                    ApiError::bad_request(format!("expected the query `app=APP`, found `{query}`"))
                })?;
                json(&PlacementReport::of(&self.sources)?.status(app)?)
            }
            (&Method::POST, "plan") => self.plan(request).await,
            (&Method::GET, "drain") => json(&self.drain_report(self.joined()?)?),
            (&Method::POST, "drain") => self.drain(request).await,
            (&Method::POST, "labels") => self.label(request).await,
            (&Method::POST, "gc") => self.collect(request).await,
            (method, _) => Err(ApiError::not_found(format!(
                "unknown request `{method} {what}`"
            ))),
        }
    }

    async fn plan(&self, request: Request<Bytes>) -> Answer {
        let DeployRequest { app, .. } = read_json(&request)?;
        let app = checked(&app)?;
        let changes = self.sources.mesh.plan(app.clone()).await?;
        json(&PlacementReport::of(&self.sources)?.plan(&app, changes))
    }

    async fn drain(&self, request: Request<Bytes>) -> Answer {
        let DrainRequest { undo } = read_json(&request)?;
        let mesh = self.joined()?;
        if undo {
            mesh.end_drain();
        } else {
            mesh.drain();
        }
        mesh.wait_for_drain_state(!undo).await;
        json(&self.drain_report(mesh)?)
    }

    fn drain_report(&self, mesh: &Joined) -> Result<DrainReport, ApiError> {
        let report = PlacementReport::of(&self.sources)?;
        let (mut leaving, mut staying) = (Vec::new(), Vec::new());
        let holdings = holdings(&self.sources.controller.snapshot());
        // A component has several revisions while a newer one does not start.
        let components: BTreeSet<_> = holdings.into_iter().map(|held| held.component).collect();
        for component in components {
            match report.stays(&component) {
                Some(why) => staying.push(Staying {
                    component: component.to_string(),
                    why,
                }),
                None => leaving.push(component.to_string()),
            }
        }
        Ok(DrainReport {
            host: self.sources.about.name.clone(),
            id: mesh.me.to_string(),
            status: mesh.state().name().to_owned(),
            leaving,
            staying,
        })
    }

    /// Has the stores of a provider begin again. The app may have been removed: its data stays.
    pub(super) async fn accept_store(&self, request: &Request<Bytes>) -> Answer {
        let AcceptRequest { app, provider } = read_json(request)?;
        let marks = self.sources.controller.store_marks();
        let places = marks.accept(&app, &provider).await;
        let places = places.map_err(|error| match &error {
            AcceptError::NoStore { .. } => ApiError::not_found(error.to_string())
                .help("`weft get providers` lists the providers of all apps"),
            AcceptError::Change(_) | AcceptError::Unavailable(_) => ApiError::failed(&error),
        })?;
        json(&AcceptReport {
            app,
            provider,
            places,
        })
    }

    async fn collect(&self, request: Request<Bytes>) -> Answer {
        let CollectionRequest { dry_run, grace_s } = read_json(&request)?;
        if let Some(found) = grace_s.filter(|grace| *grace < GRACE_S_MIN) {
            let message = format!(
                "the grace time is too short: expected at least {GRACE_S_MIN} s, found {found} s"
            );
            return Err(ApiError::bad_request(message));
        }
        let options = CollectionOptions {
            grace: grace_s.map_or(GRACE, Duration::from_secs),
            is_dry_run: dry_run,
        };
        let mesh = &self.sources.mesh;
        let collection = mesh.collector.collect(options).await;
        let collection = collection.ok_or_else(ApiError::internal)?;
        json(&CollectionReport {
            host: self.sources.about.name.clone(),
            id: mesh.lattice.as_ref().map(|_| mesh.me.to_string()),
            dry_run,
            held: collection.held.map(str::to_owned),
            freed_bytes: collection.freed_bytes(),
            artifacts: collection.artifacts,
            code: collection.code,
            objects: collection.objects,
        })
    }

    async fn label(&self, request: Request<Bytes>) -> Answer {
        let is_check = is_check(request.uri().query())?;
        let LabelRequest { labels: changes } = read_json(&request)?;
        // Before the change: it takes effect at once.
        let report = PlacementReport::of(&self.sources)?;
        let labels = self.sources.about.labels.clone();
        let changing = blocking::run(move || match is_check {
            true => labels.preview(&changes),
            false => labels.change(&changes),
        });
        let labels = changing.await.map_err(|_| ApiError::internal())?;
        let labels = labels.map_err(|error| match &error {
            LabelsError::Label(_) | LabelsError::TooMany => {
                ApiError::bad_request(error.to_string())
                    .help("write `KEY=VALUE` to set a label, and `KEY-` to remove it")
            }
            LabelsError::Read { .. } | LabelsError::Write { .. } => ApiError::failed(&error),
        })?;
        json(&LabelReport {
            host: self.sources.about.name.clone(),
            unplaced: report.unplaced_with(labels.clone()),
            labels: rows::labels(&labels),
        })
    }

    /// Forwards a request to the named host, or answers it if that is this one.
    pub(super) async fn forward(&self, host: &str, rest: &str, request: Request<Bytes>) -> Answer {
        let host: HostRef = host
            .parse()
            .map_err(|error| ApiError::bad_request(format!("{error}")))?;
        let snapshot = self.sources.controller.snapshot();
        let (about, mesh) = (&self.sources.about, &self.sources.mesh);
        let hosts = rows::hosts(about, self.address, &snapshot, mesh);
        let host = host.find(&hosts)?;
        let path = match request.uri().query() {
            Some(query) => format!("/v1/{rest}?{query}"),
            None => format!("/v1/{rest}"),
        };
        let Some(id) = &host.id else {
            return self.route_as(path, request).await;
        };
        if *id == mesh.me.to_string() {
            return self.route_as(path, request).await;
        }
        if host.is_gone() {
            let message = format!("host `{}` is {}", host.host, host.status);
            return Err(ApiError::refused(message).help("list the hosts with `weft get hosts`"));
        }
        let id: HostId = id.parse().map_err(|_| ApiError::internal())?;
        let request = bus_rpc::Request {
            method: request.method().to_string(),
            path,
            body: request.into_body(),
        };
        let answer = match rest {
            // A call takes as long as the deadline of its component allows, and a collection as
            // long as the disk and the object store take.
            "call" | "gc" => {
                let deadline = Instant::now() + ANSWER_TIMEOUT;
                mesh.long_request(id, request, deadline).await
            }
            _ => mesh.request(id, request).await.map(Some),
        };
        let answer = answer.map_err(|error| ApiError::unreachable_host(&host.host, &error))?;
        let answer = answer.ok_or_else(|| match rest {
            "call" => ApiError::lost_call(&host.host, None),
            _ => ApiError::lost_host(&host.host),
        })?;
        Ok(relayed(answer))
    }

    /// Answers a request under another path. Each step shortens the path, so the recursion ends.
    fn route_as(&self, path: String, request: Request<Bytes>) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            head.uri = path.parse().map_err(|error| {
                ApiError::bad_request(format!("invalid path `{path}`: {error}"))
            })?;
            self.route(Request::from_parts(head, body)).await
        })
    }

    /// The joined lattice, or an error for a host alone.
    fn joined(&self) -> Result<&Joined, ApiError> {
        let mesh = &self.sources.mesh;
        mesh.lattice.as_ref().map(|_| mesh).ok_or_else(|| {
            ApiError::refused(
                "this host has joined no lattice: no other host could take its components"
                    .to_owned(),
            )
            .help("start the hosts with `weft up --nats URL` to form a lattice")
        })
    }

    /// Answers a request over the bus. Access to the bus is the permission. Answers without an end
    /// are refused.
    pub(super) async fn answer_bus_rpc(&self, request: bus_rpc::Request) -> bus_rpc::Answer {
        let response = match self.bus_rpc(request).await {
            Ok(response) => response,
            Err(error) => error.response(),
        };
        let status = response.status().as_u16();
        // Bodies that this host builds do not fail.
        let body = response.into_body().collect().await;
        let body = body.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        bus_rpc::Answer { status, body }
    }

    async fn bus_rpc(&self, request: bus_rpc::Request) -> Answer {
        let bus_rpc::Request { method, path, body } = request;
        if path.contains("follow=true") {
            let message = "`follow` does not work over the bus".to_owned();
            return Err(ApiError::refused(message)
                .help("send the request to the admin API of the host, or without `-f`"));
        }
        let request = Request::builder()
            .method(method.as_str())
            .uri(path)
            .body(body);
        let request = request
            .map_err(|error| ApiError::bad_request(format!("malformed request: {error}")))?;
        self.route(request).await
    }
}

/// The refusal of an answer that exceeds a message of the bus.
pub(super) fn too_large(found: usize, max: usize) -> bus_rpc::Answer {
    let message =
        format!("the answer is too large for the bus: expected at most {max} bytes, found {found}");
    let refusal = ApiError::refused(message)
        .help("send the request to the admin API of that host itself, with `--admin`");
    refusal.bus_rpc()
}

/// The answer to a malformed request.
pub(super) fn malformed(error: &weft_wire::FrameError) -> bus_rpc::Answer {
    ApiError::bad_request(error.to_string()).bus_rpc()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_refusal_of_a_large_answer_has_both_sizes() {
        let answer = too_large(2_000_000, 1_000_000);
        assert_eq!(answer.status, 422);
        let body: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&answer.body).unwrap();
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("2000000") && message.contains("1000000"));
    }
}
