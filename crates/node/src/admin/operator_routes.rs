//! What an operator asks: placements, status, plans, drains, labels, and any of it of another host.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use weft_control::operating::Staying;
use weft_control::{
    DeployRequest, DrainReport, DrainRequest, HostRef, LabelReport, LabelRequest, bus_rpc,
};
use weft_membership::HostId;

use super::errors::ApiError;
use super::placement_report::PlacementReport;
use super::router::{Answer, Body, checked, full, json, read_json};
use super::{Api, rows};
use crate::Joined;
use crate::LabelsError;
use crate::inventory_publisher::holdings;

impl Api {
    /// Answers what is asked of this host itself.
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
            (method, _) => Err(ApiError::not_found(format!(
                "there is no `{method} {what}`"
            ))),
        }
    }

    async fn plan(&self, request: Request<Bytes>) -> Answer {
        let DeployRequest { app } = read_json(&request)?;
        let app = checked(&app)?;
        let changes = self.sources.controller.plan(app.clone()).await?;
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
        // A component is there at several revisions while a newer one does not start.
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

    async fn label(&self, request: Request<Bytes>) -> Answer {
        let LabelRequest { labels: changes } = read_json(&request)?;
        let labels = self.sources.about.labels.clone();
        let changing = tokio::task::spawn_blocking(move || labels.change(&changes));
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
            labels: rows::labels(&labels),
        })
    }

    /// Has another host answer, or this one if it is the one.
    pub(super) async fn forward(&self, host: &str, rest: &str, request: Request<Bytes>) -> Answer {
        let host: HostRef = host
            .parse()
            .map_err(|error| ApiError::bad_request(format!("{error}")))?;
        let snapshot = self.sources.controller.snapshot();
        let (about, mesh) = (&self.sources.about, &self.sources.mesh);
        let hosts = rows::hosts(about, self.address, &snapshot, mesh.as_ref());
        let host = host.find(&hosts)?;
        let path = match request.uri().query() {
            Some(query) => format!("/v1/{rest}?{query}"),
            None => format!("/v1/{rest}"),
        };
        let (Some(mesh), Some(id)) = (mesh, &host.id) else {
            return self.route_as(path, request).await;
        };
        if *id == mesh.me.to_string() {
            return self.route_as(path, request).await;
        }
        if host.is_gone() {
            let message = format!("host `{}` is {}", host.host, host.status);
            return Err(
                ApiError::refused(message).help("`weft get hosts` shows which hosts there are")
            );
        }
        let id: HostId = id.parse().map_err(|_| ApiError::internal())?;
        let request = bus_rpc::Request {
            method: request.method().to_string(),
            path,
            body: request.into_body(),
        };
        let answer = mesh.request(id, request).await;
        let answer = answer.map_err(|error| ApiError::unreachable_host(&host.host, &error))?;
        let mut response: Response<Body> = Response::new(full(answer.body.clone()));
        *response.status_mut() = answer.status();
        Ok(response)
    }

    /// Answers the same request under another path. Each pass takes a part of the path away, so they end.
    fn route_as(&self, path: String, request: Request<Bytes>) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            head.uri = path
                .parse()
                .map_err(|error| ApiError::bad_request(format!("`{path}` is no path: {error}")))?;
            self.route(Request::from_parts(head, body)).await
        })
    }

    /// The lattice of many.
    fn joined(&self) -> Result<&Joined, ApiError> {
        self.sources.mesh.as_ref().ok_or_else(|| {
            ApiError::refused(
                "this host has joined no lattice: nobody could take its work".to_owned(),
            )
            .help("start hosts with `weft up --nats URL` to have several")
        })
    }

    /// Answers a request that came over the bus, which whoever speaks on it may make. What has no end is
    /// refused.
    pub(super) async fn answer_bus_rpc(&self, request: bus_rpc::Request) -> bus_rpc::Answer {
        let response = match self.bus_rpc(request).await {
            Ok(response) => response,
            Err(error) => error.response(),
        };
        let status = response.status().as_u16();
        // What this host makes itself does not fail to be read.
        let body = response.into_body().collect().await;
        let body = body.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        bus_rpc::Answer { status, body }
    }

    async fn bus_rpc(&self, request: bus_rpc::Request) -> Answer {
        let bus_rpc::Request { method, path, body } = request;
        if path.contains("follow=true") {
            let message = "what is followed does not go over the bus".to_owned();
            return Err(
                ApiError::refused(message).help("ask the admin API of the host, or without `-f`")
            );
        }
        let request = Request::builder()
            .method(method.as_str())
            .uri(path)
            .body(body);
        let request = request
            .map_err(|error| ApiError::bad_request(format!("this is no request: {error}")))?;
        self.route(request).await
    }
}

/// An answer that the bus does not carry, told as a refusal.
pub(super) fn too_large(found: usize, max: usize) -> bus_rpc::Answer {
    let message = format!("the answer takes {found} bytes, and the bus carries {max}");
    let refusal = ApiError::refused(message)
        .help("ask the admin API of the host, with `--admin` in place of `--nats`");
    refusal.bus_rpc()
}

/// The answer to what is no request.
pub(super) fn malformed(error: &bus_rpc::MessageError) -> bus_rpc::Answer {
    ApiError::bad_request(error.to_string()).bus_rpc()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_answer_that_is_too_large_is_told_with_both_numbers() {
        let answer = too_large(2_000_000, 1_000_000);
        assert_eq!(answer.status, 422);
        let body: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&answer.body).unwrap();
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("2000000") && message.contains("1000000"));
    }
}
