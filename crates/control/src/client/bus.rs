//! Requests over the bus, to one host of the lattice.

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;
use weft_lattice_config::Digest;

use super::{ANSWER_TIMEOUT, Answer, Body, ClientError};
use crate::bus_rpc::{self, BusRpcError, Request};
use weft_bus::{Bus, RequestError};
use weft_membership::HostId;
use weft_state::objects::Objects;

/// A host, reached over the bus by its id.
#[derive(Debug, Clone)]
pub(super) struct BusTransport {
    pub(super) bus: Bus,
    pub(super) host: HostId,
    /// Component bytes do not fit into a message: they go to the object store that every host
    /// reads.
    pub(super) objects: Objects,
}

impl BusTransport {
    pub(super) async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        if path.contains("follow=true") {
            return Err(ClientError::Follow);
        }
        let request = Request {
            method: method.to_string(),
            path: path.to_owned(),
            body,
        };
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        match bus_rpc::request(&self.bus, self.host, request, deadline).await {
            Ok(answer) => Ok(Answer {
                status: answer.status(),
                body: Body::Whole(answer.body),
            }),
            Err(BusRpcError::Bus(RequestError::Deadline { .. })) => Err(ClientError::Timeout {
                address: self.address(),
                limit: ANSWER_TIMEOUT,
            }),
            Err(source) => Err(ClientError::Bus {
                address: self.address(),
                source,
            }),
        }
    }

    /// Stores the bytes of a component for all hosts.
    pub(super) async fn put(&self, bytes: Bytes) -> Result<(), ClientError> {
        let put = self.objects.put(bytes).await;
        put.map(drop)
            .map_err(|source| ClientError::Objects { source })
    }

    /// The bytes of a component from the object store; `None` if it has none or is unavailable.
    pub(super) async fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.objects.get(digest).await.ok()
    }

    pub(super) fn address(&self) -> String {
        format!("host {} of the lattice", self.host.short())
    }
}
