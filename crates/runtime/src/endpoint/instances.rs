//! Instances of an endpoint: creation, and reuse where the manifest allows it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::Instant as Deadline;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p3::bindings::Service;

use super::{Endpoint, EndpointState, Failure, ReusePolicy};
use crate::engine::Slots;
use crate::guest::{Activity, GuestState, HostcallData};
use crate::linking::{EndpointPre, LinkExports};
use crate::links::SkeletonFunctions;

/// An instance in its own store.
pub(crate) struct Instance {
    pub(crate) store: Store<GuestState>,
    pub(crate) exports: Exports,
    /// The exports that links call.
    pub(crate) link_exports: Arc<LinkExports>,
    /// The functions of its skeleton that were looked up so far.
    pub(crate) skeleton: SkeletonFunctions,
    requests: u32,
    /// Its place in the pool. The last field: dropped after the store.
    _slots: Slots,
}

/// The exports of an instance, by the interface through which the host calls it.
pub(crate) enum Exports {
    HttpP2(Proxy),
    HttpP3(Service),
    Plain(wasmtime::component::Instance),
}

/// Instances between two requests. The one used last is taken first, so that the others expire when
/// fewer are needed.
pub(super) struct IdleInstances {
    reuse: Option<ReusePolicy>,
    instances: Mutex<Vec<(Instant, Instance)>>,
}

impl Instance {
    /// Number of requests that the instance has completed.
    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }
}

impl Endpoint {
    /// An instance for one request with a `deadline`: an idle one, or else a new one. `depth` is
    /// the number of links that the request has crossed.
    ///
    /// # Errors
    /// - [`Failure::NotLoaded`] if the code cannot be loaded.
    /// - [`Failure::PoolFull`] if the instance pool has no room.
    /// - [`Failure::Trapped`], [`Failure::Limit`] or [`Failure::Link`] if instantiation fails.
    pub(crate) async fn instance(
        &self,
        deadline: Deadline,
        depth: u32,
    ) -> Result<Instance, Failure> {
        if let Some(instance) = self.idle_instance(deadline, depth) {
            return Ok(instance);
        }
        let code = self.state.code.get().await?;
        let activity = self.activity(deadline, depth);
        self.instantiate(&code.pre, &code.link_exports, activity)
            .await
    }

    fn idle_instance(&self, deadline: Deadline, depth: u32) -> Option<Instance> {
        let mut instance = self.state.idle.take()?;
        let activity = self.activity(deadline, depth);
        instance.store.data_mut().start_request(activity);
        Some(instance)
    }

    /// An idle instance, as [`Endpoint::instance_for_call`] returns. Never one of an HTTP handler.
    pub(crate) fn idle_instance_for_call(
        &self,
        deadline: Deadline,
        depth: u32,
    ) -> Option<Instance> {
        // Idle instances of an HTTP handler are bound to its HTTP interface.
        self.protocol()
            .is_none()
            .then(|| self.idle_instance(deadline, depth))?
    }

    /// Takes back an instance that completed a request, for reuse if the settings allow it.
    pub(crate) fn give_back(&self, instance: Instance) {
        self.give_back_after(instance, 1);
    }

    /// Takes back an instance that completed this number of requests.
    pub(crate) fn give_back_after(&self, mut instance: Instance, requests: u32) {
        instance.requests = instance.requests.saturating_add(requests);
        instance.store.data_mut().end_request();
        // An instance created for a call by name cannot take HTTP requests.
        let is_for_calls = matches!(instance.exports, Exports::Plain(_));
        if is_for_calls == self.protocol().is_none() {
            self.state.idle.put(instance);
        }
    }

    /// An instance whose functions can be called by name. For an HTTP handler, the instance is
    /// always new and serves this call only.
    ///
    /// # Errors
    /// Those of [`Endpoint::instance`].
    pub(crate) async fn instance_for_call(
        &self,
        deadline: Deadline,
        depth: u32,
    ) -> Result<Instance, Failure> {
        if self.protocol().is_none() {
            return self.instance(deadline, depth).await;
        }
        let code = self.state.code.get().await?;
        let by_name = EndpointPre::Plain(code.pre.instance_pre().clone());
        let activity = self.activity(deadline, depth);
        self.instantiate(&by_name, &code.link_exports, activity)
            .await
    }

    /// The activity of an instance that serves a request to this endpoint.
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
        let EndpointState {
            code,
            template,
            share,
            ..
        } = &*self.state;
        let hostcall_data = match pre {
            EndpointPre::HttpP2(_) | EndpointPre::HttpP3(_) => template.hostcall_data,
            EndpointPre::Plain(_) => HostcallData::Values,
        };
        let slots = share
            .take(code.recipe.memories.max(1))
            .ok_or(Failure::PoolFull)?;
        let kind = code.recipe.kind;
        let mut store = GuestState::store(code.engine(), kind, template, hostcall_data, activity);
        let created = match pre {
            EndpointPre::HttpP2(pre) => {
                pre.instantiate_async(&mut store).await.map(Exports::HttpP2)
            }
            EndpointPre::HttpP3(pre) => {
                pre.instantiate_async(&mut store).await.map(Exports::HttpP3)
            }
            EndpointPre::Plain(pre) => pre.instantiate_async(&mut store).await.map(Exports::Plain),
        };
        match created {
            Ok(exports) => Ok(Instance {
                store,
                exports,
                link_exports: link_exports.clone(),
                skeleton: SkeletonFunctions::default(),
                requests: 0,
                _slots: slots,
            }),
            Err(error) => Err(Failure::of(error, store.data())),
        }
    }
}

impl IdleInstances {
    pub(super) fn new(reuse: Option<ReusePolicy>) -> Self {
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

    fn put(&self, instance: Instance) {
        let Some(reuse) = self.reuse else { return };
        if instance.requests < reuse.requests_max {
            let mut instances = self
                .instances
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            instances.push((Instant::now(), instance));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let instances = self.instances.lock();
        instances.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Drops the instances that were idle for `idle_max`, or else for the time in the manifest.
    pub(super) fn drop_expired(&self, idle_max: Option<Duration>) {
        let Some(reuse) = self.reuse else { return };
        let idle_max = idle_max.unwrap_or(reuse.idle_max);
        let mut instances = self
            .instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Instances are pushed and popped at the end, so the oldest are at the front. They are
        // dropped outside of the lock.
        let expired = instances.partition_point(|(since, _)| since.elapsed() >= idle_max);
        let expired: Vec<_> = instances.drain(..expired).collect();
        drop(instances);
        drop(expired);
    }
}
