//! HTTP requests to components: [`invoke`] runs the guest through the interface that it exports
//! ([`p2`], [`p3`]), [`shared`] runs several requests in one instance, [`response_body`] streams
//! the response, [`failure`] converts its failure to a response, [`client_waits`] ends requests of
//! silent clients.

mod client_waits;
mod failure;
mod invoke;
mod p2;
mod p3;
mod response_body;
mod shared;

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use weft_ingress::{Body, BodyError, Handler, Overloaded, RequestBody};
use weft_link::boxed;

pub(crate) use self::client_waits::ClientWaits;
use self::client_waits::Upload;
pub(crate) use self::shared::SharedInstances;
use crate::endpoint::{Endpoint, Failure};

/// A body as wasmtime produces and consumes it.
type GuestBody = UnsyncBoxBody<bytes::Bytes, wasmtime_wasi_http::Error>;

/// Handles HTTP requests by an endpoint.
pub(crate) struct EndpointHandler(pub(crate) Endpoint);

impl Handler for EndpointHandler {
    fn name(&self) -> String {
        format!("{}/{}", self.0.app(), self.0.component())
    }

    fn body_bytes_max(&self) -> u64 {
        self.0.settings().body_bytes_max
    }

    fn deadline(&self) -> Duration {
        self.0.settings().deadline
    }

    fn handle<'a>(
        &'a self,
        request: Request<RequestBody>,
        deadline: Instant,
        tasks: &'a TaskTracker,
    ) -> BoxFuture<'a, Result<Response<Body>, Overloaded>> {
        Box::into_pin(boxed(move || async move {
            let endpoint = &self.0;
            if !endpoint.has_room() {
                endpoint.client_waits().make_room(endpoint).await;
            }
            let (head, body) = request.into_parts();
            let (body, upload) = Upload::watch(endpoint, guest_body(body));
            let request = Request::from_parts(head, body);
            let responding = async {
                match endpoint.shared_instances() {
                    Some(shared) => {
                        shared::respond(endpoint, shared, request, deadline, tasks).await
                    }
                    None => invoke::respond(endpoint, request, deadline, tasks).await,
                }
            };
            let response = match upload {
                None => responding.await,
                Some(upload) => tokio::select! {
                    biased;
                    () = upload.ended() => Err(Failure::SilentClient),
                    response = responding => response,
                },
            };
            match response {
                Ok(response) => Ok(response),
                Err(
                    failure @ (Failure::Full { .. }
                    | Failure::PoolFull
                    | Failure::MemoryFull { .. }),
                ) => Err(Overloaded(failure.to_string())),
                Err(failure) => Ok(failure::response(endpoint, &failure)),
            }
        }))
    }
}

/// Converts the body of a request for wasmtime.
fn guest_body(body: RequestBody) -> GuestBody {
    use wasmtime_wasi_http::Error;
    body.map_err(|error| match error {
        BodyError::Connection(error) => Error::Hyper(error),
        BodyError::TooLarge(limit) => Error::HttpRequestBodySize(Some(limit)),
        BodyError::Incomplete | BodyError::Forwarding | BodyError::Component(_) => {
            Error::HttpProtocolError
        }
    })
    .boxed_unsync()
}
