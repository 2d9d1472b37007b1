//! The endpoints of an app that serves on this host.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use weft_control::{CallReply, CallRequest, ErrorCode};
use weft_ingress::Handler;
use weft_link::Protocol;
use weft_node::runtime::{CallError, RunningApp, RunningComponent};

use crate::dynamic_call;
use crate::endpoint::{Endpoint, RevisionSet};
use crate::http::EndpointHandler;
use crate::linking::LinkReport;

/// The endpoints of an app, by component.
pub(crate) struct RunningEndpoints {
    endpoints: BTreeMap<String, Endpoint>,
    links: Vec<LinkReport>,
}

impl RunningEndpoints {
    pub(super) fn new(revision_set: &Arc<RevisionSet>, links: Vec<LinkReport>) -> Self {
        let endpoints = revision_set.endpoints();
        let endpoints = endpoints.map(|endpoint| (endpoint.component().to_owned(), endpoint));
        Self {
            endpoints: endpoints.collect(),
            links,
        }
    }

    pub(crate) fn endpoint(&self, component: &str) -> Option<&Endpoint> {
        self.endpoints.get(component)
    }
}

#[async_trait]
impl RunningApp for RunningEndpoints {
    fn components(&self) -> Vec<RunningComponent> {
        self.endpoints.values().map(running_component).collect()
    }

    fn links(&self) -> &[LinkReport] {
        &self.links
    }

    fn in_flight(&self) -> u64 {
        let endpoints = self.endpoints.values();
        endpoints.map(|endpoint| endpoint.counts().in_flight).sum()
    }

    fn drop_expired(&self) {
        self.endpoints.values().for_each(Endpoint::drop_expired);
    }

    fn handler(&self, component: &str) -> Option<Arc<dyn Handler>> {
        let endpoint = self.endpoint(component)?.clone();
        Some(Arc::new(EndpointHandler(endpoint)))
    }

    fn protocol(&self, component: &str) -> Option<Protocol> {
        self.endpoint(component)?.protocol()
    }

    async fn call(&self, request: &CallRequest) -> Result<CallReply, CallError> {
        let component = &request.component;
        let Some(endpoint) = self.endpoint(component) else {
            return Err(CallError {
                code: ErrorCode::NotFound,
                help: None,
                source: format!("component `{component}` does not run on this host").into(),
            });
        };
        let outcome = dynamic_call::call(endpoint, request).await;
        let outcome = outcome.map_err(|error| error.for_caller(endpoint))?;
        Ok(outcome.reply())
    }
}

fn running_component(endpoint: &Endpoint) -> RunningComponent {
    let counts = endpoint.counts();
    let parts = endpoint.template().parts.iter();
    RunningComponent {
        name: endpoint.component().to_owned(),
        bytes: endpoint.bytes(),
        fused: parts.map(|part| part.component.to_string()).collect(),
        is_loaded: endpoint.is_loaded(),
        in_flight: counts.in_flight,
        requests: counts.requests,
        traps: counts.traps,
        memory_bytes_max: endpoint.template().limits.memory_bytes_max,
        deadline: endpoint.settings().deadline,
        concurrency_max: endpoint.settings().concurrency_max,
    }
}
