//! The routes of the API.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;
use weft_control::rows::RouteRow;
use weft_control::{DeployReport, DeployRequest, JSON_BYTES_MAX, UndeployReport, bus_rpc};
use weft_ingress::READY_PATH;
use weft_lattice_config::{App, AppName, Digest};
use weft_state::artifacts::ARTIFACT_BYTES_MAX;
use weft_state::blocking;

use super::errors::ApiError;
use super::placement_report::PlacementReport;
use super::query::pairs;
use super::{Api, Sources, events, links, logs, rows};
use weft_ingress::{BodyBudget, BodyShare};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

pub(super) type Answer = Result<Response<Body>, ApiError>;

impl Api {
    /// Answers a request; errors become answers too.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_read && request.uri().path() == READY_PATH {
            return self.ready();
        }
        let outcome = if self.is_authorized(&request) {
            match whole(request, &self.bodies).await {
                // The share is held until the body was stored.
                Ok((request, _share)) => self.route(request).await,
                Err(error) => Err(error),
            }
        } else {
            Err(ApiError::unauthorized())
        };
        let mut response = outcome.unwrap_or_else(|error| error.response());
        if response.status() == StatusCode::UNAUTHORIZED {
            // A client without the token keeps no connection from others.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    /// The readiness of the host. Needs no token, as probes of container platforms have none.
    fn ready(&self) -> Response<Body> {
        let readiness = self.sources.readiness.poll();
        let mut response = Response::new(full(Bytes::from_static(readiness.text().as_bytes())));
        *response.status_mut() = readiness.status();
        response
    }

    fn is_authorized(&self, request: &Request<Incoming>) -> bool {
        let Some(given) = request.headers().get(header::AUTHORIZATION) else {
            return false;
        };
        let Some(given) = given.as_bytes().strip_prefix(b"Bearer ") else {
            return false;
        };
        // Hashes are compared because their comparison takes constant time.
        blake3::hash(given) == blake3::hash(self.sources.about.token.as_bytes())
    }

    /// Routes an authorised request.
    pub(super) async fn route(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["v1", "logs"]) => logs::answer(self, request.uri().query()),
            (&Method::GET, ["v1", "events"]) => events::answer(self, request.uri().query()),
            (&Method::GET, ["v1", "links", "why"]) => {
                json(&self.link_why(request.uri().query().unwrap_or_default())?)
            }
            (_, ["v1", "hosts", host, rest @ ..]) if !rest.is_empty() => {
                self.forward(host, &rest.join("/"), request).await
            }
            (&Method::POST, ["v1", "fault"]) => self.fault(&request),
            (_, ["v1", what @ ("status" | "plan" | "drain" | "labels" | "gc")]) => {
                self.operate(what, request).await
            }
            (&Method::POST, ["v1", "keyvalue", "accept"]) => self.accept_store(&request).await,
            (&Method::GET, ["v1", what]) => self.rows(what, request.uri().query()),
            (&Method::POST, ["v1", "apps"]) => self.deploy(request).await,
            (&Method::GET, ["v1", "apps", app]) => {
                json(&PlacementReport::of(&self.sources)?.record(app)?)
            }
            (&Method::DELETE, ["v1", "apps", app]) => self.undeploy(app).await,
            (&Method::POST, ["v1", "call"]) => self.call(request).await,
            (method, ["v1", "artifacts", digest]) => {
                let digest: Digest = digest
                    .parse()
                    .map_err(|error| ApiError::bad_request(format!("{error}")))?;
                self.artifact(&method.clone(), &digest, request).await
            }
            _ => Err(ApiError::not_found(format!(
                "unknown request `{} {path}`",
                request.method()
            ))),
        }
    }

    fn rows(&self, what: &str, query: Option<&str>) -> Answer {
        let Sources {
            about,
            controller,
            mesh,
            registry,
            ..
        } = &self.sources;
        let (snapshot, host) = (controller.snapshot(), &about.name);
        match what {
            "apps" => json(&PlacementReport::of(&self.sources)?.app_rows()),
            "components" => json(&rows::components(host, &snapshot)),
            "links" => json(&links::rows(host, &mesh.cluster_view(), &snapshot)),
            "providers" => json(&rows::providers(&mesh.cluster_view(), registry)),
            "routes" => json(&self.routes()),
            "placements" => self.placements(query),
            "inventory" => json(&PlacementReport::of(&self.sources)?.inventory()),
            "hosts" => json(&rows::hosts(about, self.address, &snapshot, mesh)),
            _ => Err(ApiError::not_found(format!("unknown list `{what}`"))),
        }
    }

    fn routes(&self) -> Vec<RouteRow> {
        let is_alone = self.sources.mesh.lattice.is_none();
        let publisher = self.sources.controller.route_publisher();
        let rows = publisher.app_routes(|route| {
            // No other host serves the components of a host alone.
            (!is_alone || route.running.is_some()).then(|| rows::route(route))
        });
        rows.into_iter().flatten().collect()
    }

    fn placements(&self, query: Option<&str>) -> Answer {
        let query = PlacementQuery::parse(query)?;
        let report = PlacementReport::of(&self.sources)?;
        let app = query.app.as_ref();
        match query.why {
            true => json(&report.explained_placements(app)?),
            false => json(&report.placements(app)),
        }
    }

    async fn deploy(&self, request: Request<Bytes>) -> Answer {
        let DeployRequest { app, force } = read_json(&request)?;
        let app = checked(&app)?;
        let name = app.metadata.name.to_string();
        let mesh = &self.sources.mesh;
        let deployment = match force {
            false => mesh.deploy(app).await?,
            true => mesh.deploy_over_damage(app).await?,
        };
        let routes = self.routes();
        json(&DeployReport {
            revision: deployment.deployed.revision,
            changes: deployment.changes,
            routes: routes
                .into_iter()
                .filter(|route| route.app == name)
                .collect(),
            app: name,
        })
    }

    async fn undeploy(&self, app: &str) -> Answer {
        let name: AppName = app
            .parse()
            .map_err(|error| ApiError::bad_request(format!("{error}")))?;
        let revision = self.sources.mesh.undeploy(name).await?;
        json(&UndeployReport {
            app: app.to_owned(),
            revision,
        })
    }

    async fn artifact(&self, method: &Method, digest: &Digest, request: Request<Bytes>) -> Answer {
        let (artifacts, digest) = (self.sources.artifacts.clone(), digest.clone());
        match *method {
            Method::HEAD => {
                // The client does not upload it then.
                let stored = blocking(move || artifacts.renew(&digest)).await?;
                let status = if stored {
                    StatusCode::NO_CONTENT
                } else {
                    StatusCode::NOT_FOUND
                };
                Ok(empty(status))
            }
            Method::GET => {
                let bytes = blocking(move || artifacts.get(&digest)).await??;
                let mut response = Response::new(full(Bytes::from(bytes)));
                let wasm = HeaderValue::from_static("application/wasm");
                response.headers_mut().insert(header::CONTENT_TYPE, wasm);
                Ok(response)
            }
            Method::PUT => {
                let bytes = request.into_body();
                blocking(move || artifacts.put(&digest, &bytes)).await??;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            _ => Err(ApiError::not_found(
                "invalid method for an artifact: expected GET, HEAD or PUT".to_owned(),
            )),
        }
    }
}

/// The query of `GET /v1/placements`.
#[derive(Default)]
struct PlacementQuery {
    /// Only the components of this app.
    app: Option<AppName>,
    /// The standing of every host is included.
    why: bool,
}

impl PlacementQuery {
    fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut parsed = Self::default();
        for (key, value) in pairs(query) {
            match key {
                "why" => parsed.why = value == "true",
                "app" => {
                    let app = value
                        .parse()
                        .map_err(|error| ApiError::bad_request(format!("{error}")))?;
                    parsed.app = Some(app);
                }
                _ => {
                    let message = format!("expected `app` or `why`, found `{key}`");
                    return Err(ApiError::bad_request(message));
                }
            }
        }
        Ok(parsed)
    }
}

/// The answer of another host, as this host's own.
pub(super) fn relayed(answer: bus_rpc::Answer) -> Response<Body> {
    let status = answer.status();
    let mut response = Response::new(full(answer.body));
    *response.status_mut() = status;
    response
}

/// Validates a manifest again: a client of the API may not have done so.
pub(super) fn checked(app: &App) -> Result<App, ApiError> {
    let text = app
        .to_json()
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    App::from_json("manifest", &text).map_err(|errors| ApiError::bad_request(errors.to_string()))
}

async fn blocking<R: Send + 'static>(
    operation: impl FnOnce() -> R + Send + 'static,
) -> Result<R, ApiError> {
    blocking::run(operation)
        .await
        .map_err(|_| ApiError::internal())
}

/// Reads the body of a request, up to its limit, once there is room for it.
async fn whole(
    request: Request<Incoming>,
    bodies: &BodyBudget,
) -> Result<(Request<Bytes>, BodyShare), ApiError> {
    let limit = match *request.method() {
        Method::PUT => ARTIFACT_BYTES_MAX,
        _ => JSON_BYTES_MAX,
    };
    let (head, body) = request.into_parts();
    let declared = body.size_hint().upper();
    let declared = declared.and_then(|bytes| usize::try_from(bytes).ok());
    let share = bodies.take(declared.unwrap_or(limit).min(limit)).await;
    let share = share.ok_or_else(ApiError::full)?;
    let body = Limited::new(body, limit).collect().await;
    let body =
        body.map_err(|error| ApiError::bad_request(format!("cannot receive the body: {error}")))?;
    Ok((Request::from_parts(head, body.to_bytes()), share))
}

pub(super) fn read_json<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, ApiError> {
    serde_json::from_slice(request.body())
        .map_err(|error| ApiError::bad_request(format!("malformed body: {error}")))
}

/// An answer with a JSON body.
pub(super) fn json(value: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(value).map_err(|_| ApiError::internal())?;
    let mut response = Response::new(full(Bytes::from(bytes)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}
