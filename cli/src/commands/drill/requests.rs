//! HTTP requests to one host over pooled connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::address::Address;

/// The time limit for a response.
const RESPONSE_MAX: Duration = Duration::from_secs(10);

/// An HTTP client of one host.
pub(super) struct Requests {
    address: Address,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Requests {
    pub(super) fn to(address: Address) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            // A request that fails is lost for a user.
            .retry_canceled_requests(false)
            .build(connector);
        Self { address, client }
    }

    /// Creates clients of several hosts.
    pub(super) fn to_all(addresses: &[Address]) -> Vec<Arc<Self>> {
        let hosts = addresses.iter().map(|address| Self::to(address.clone()));
        hosts.map(Arc::new).collect()
    }

    /// Sends a GET, and returns the status; `None` if the request is lost.
    pub(super) async fn get(&self, path: &str) -> Option<StatusCode> {
        let response = self.send(Request::get(self.url(path)), Bytes::new()).await;
        let status = response.map(|(status, _)| status);
        status.filter(|status| status.as_u16() < 500)
    }

    /// Sends a GET, and returns whether the status is 200.
    pub(super) async fn exists(&self, path: &str) -> bool {
        let response = self.send(Request::get(self.url(path)), Bytes::new()).await;
        response.is_some_and(|(status, _)| status == StatusCode::OK)
    }

    /// Sends a POST with JSON, and returns the location of the created resource.
    ///
    /// # Errors
    /// The status of a response that does not acknowledge the request; `None` without a response.
    pub(super) async fn create(
        &self,
        path: &str,
        body: Bytes,
    ) -> Result<String, Option<StatusCode>> {
        let request = Request::post(self.url(path));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let (status, headers) = self.send(request, body).await.ok_or(None)?;
        let location = headers.get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        match location {
            Some(location) if status == StatusCode::CREATED => Ok(location.to_owned()),
            _ => Err(Some(status)),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Sends a request; `None` without a complete response in time.
    async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap)> {
        let request = request.body(Full::new(body)).ok()?;
        let exchange = async {
            let response = self.client.request(request).await.ok()?;
            let (head, body) = response.into_parts();
            // A response counts only with its whole body.
            body.collect().await.ok()?;
            Some((head.status, head.headers))
        };
        timeout(RESPONSE_MAX, exchange).await.ok()?
    }
}
