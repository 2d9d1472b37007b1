//! Making instances, and keeping them where the manifest says that they are reused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::time::Instant as Deadline;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p3::bindings::Service;

use super::{Core, Endpoint, Failure, Reusable};
use crate::guest::{Activity, GuestState};
use crate::linking::{EndpointPre, LinkExports};
use crate::links::SkeletonFunctions;

/// An instance in its own store.
pub(crate) struct Instance {
    pub(crate) store: Store<GuestState>,
    pub(crate) exports: Exports,
    /// What it exports for links.
    pub(crate) link_exports: Arc<LinkExports>,
    /// What is known of its skeleton.
    pub(crate) skeleton: SkeletonFunctions,
    requests: u32,
}

/// What an instance is called through.
pub(crate) enum Exports {
    HttpP2(Proxy),
    HttpP3(Service),
    Plain(wasmtime::component::Instance),
}

/// Instances between two requests; the one used last is taken first, so that the others grow old.
pub(super) struct IdleInstances {
    reuse: Option<Reusable>,
    instances: Mutex<Vec<(Instant, Instance)>>,
}

impl Endpoint {
    /// An instance for one request, to be done by `deadline`: an idle one if there is one, else a new
    /// one. `depth` counts the links that led to it.
    ///
    /// # Errors
    /// [`Failure::PoolFull`] if the host has no room, [`Failure::Trapped`] if it does not start.
    pub(crate) async fn instance(
        &self,
        deadline: Deadline,
        depth: u32,
    ) -> Result<Instance, Failure> {
        if let Some(instance) = self.idle_instance(deadline, depth) {
            return Ok(instance);
        }
        let code = self.core.code.get().await?;
        let activity = self.activity(deadline, depth);
        self.instantiate(&code.pre, &code.link_exports, activity)
            .await
    }

    fn idle_instance(&self, deadline: Deadline, depth: u32) -> Option<Instance> {
        let mut instance = self.core.idle.take()?;
        let activity = self.activity(deadline, depth);
        instance.store.data_mut().start_request(activity);
        Some(instance)
    }

    /// An instance that waits for a call by name, as one of [`Endpoint::instance_for_call`].
    pub(crate) fn idle_instance_for_call(
        &self,
        deadline: Deadline,
        depth: u32,
    ) -> Option<Instance> {
        // Those of an HTTP handler wait for requests.
        self.protocol()
            .is_none()
            .then(|| self.idle_instance(deadline, depth))?
    }

    /// Keeps an instance that served a request to its end, if it may serve another.
    pub(crate) fn give_back(&self, mut instance: Instance) {
        instance.store.data_mut().end_request();
        // An instance made for a call by name cannot take HTTP requests.
        let made_for_call = matches!(instance.exports, Exports::Plain(_));
        if made_for_call == self.protocol().is_none() {
            self.core.idle.put(instance);
        }
    }

    /// An instance whose functions can be called by name. That of an HTTP handler is new, and serves
    /// this call only.
    ///
    /// # Errors
    /// As [`Endpoint::instance`].
    pub(crate) async fn instance_for_call(
        &self,
        deadline: Deadline,
        depth: u32,
    ) -> Result<Instance, Failure> {
        if self.protocol().is_none() {
            return self.instance(deadline, depth).await;
        }
        let code = self.core.code.get().await?;
        let by_name = EndpointPre::Plain(code.pre.instance_pre().clone());
        let activity = self.activity(deadline, depth);
        self.instantiate(&by_name, &code.link_exports, activity)
            .await
    }

    /// What a request does that enters here.
    pub(crate) fn activity(&self, deadline: Deadline, depth: u32) -> Activity {
        Activity {
            deadline,
            depth,
            revision_set: self.revision_set.clone(),
        }
    }

    async fn instantiate(
        &self,
        pre: &EndpointPre,
        link_exports: &Arc<LinkExports>,
        activity: Activity,
    ) -> Result<Instance, Failure> {
        let Core { code, template, .. } = &*self.core;
        let mut store = GuestState::store(code.engine(), code.recipe.kind, template, activity);
        let made = match pre {
            EndpointPre::HttpP2(pre) => {
                pre.instantiate_async(&mut store).await.map(Exports::HttpP2)
            }
            EndpointPre::HttpP3(pre) => {
                pre.instantiate_async(&mut store).await.map(Exports::HttpP3)
            }
            EndpointPre::Plain(pre) => pre.instantiate_async(&mut store).await.map(Exports::Plain),
        };
        match made {
            Ok(exports) => Ok(Instance {
                store,
                exports,
                link_exports: link_exports.clone(),
                skeleton: SkeletonFunctions::default(),
                requests: 0,
            }),
            Err(error) => Err(Failure::of(error, store.data())),
        }
    }
}

impl IdleInstances {
    pub(super) fn new(reuse: Option<Reusable>) -> Self {
        Self {
            reuse,
            instances: Mutex::new(Vec::new()),
        }
    }

    fn take(&self) -> Option<Instance> {
        self.reuse?;
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .map(|(_, instance)| instance)
    }

    fn put(&self, mut instance: Instance) {
        let Some(reuse) = self.reuse else { return };
        instance.requests += 1;
        if instance.requests < reuse.requests_max {
            let mut instances = self
                .instances
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            instances.push((Instant::now(), instance));
        }
    }

    pub(super) fn drop_expired(&self) {
        let Some(reuse) = self.reuse else { return };
        let mut instances = self
            .instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Pushed and popped at the end, so the front is the oldest.
        let expired = instances.partition_point(|(since, _)| since.elapsed() >= reuse.idle_max);
        let expired: Vec<_> = instances.drain(..expired).collect();
        drop(instances);
        drop(expired);
    }
}
