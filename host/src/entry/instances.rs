//! Making instances, and keeping them where the manifest says that they are reused.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p3::bindings::Service;

use super::{Entry, Failure, Reusable};
use crate::guest::GuestState;
use crate::linking::EntryPre;

/// An instance in its own store.
pub(crate) struct Instance {
    pub(crate) store: Store<GuestState>,
    pub(crate) exports: Exports,
    served: u32,
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

impl Entry {
    /// An instance for one request: an idle one if there is one, else a new one.
    ///
    /// # Errors
    /// [`Failure::PoolFull`] if the host has no room, [`Failure::Trapped`] if it does not start.
    pub(crate) async fn instance(&self) -> Result<Instance, Failure> {
        if let Some(mut instance) = self.idle.take() {
            instance.store.data_mut().start_request();
            return Ok(instance);
        }
        let pre = self.code.get().await?;
        self.instantiate(&pre).await
    }

    /// Keeps an instance that served a request to its end, if it may serve another.
    pub(crate) fn give_back(&self, instance: Instance) {
        // An instance made for a call by name cannot take HTTP requests.
        let made_for_call = matches!(instance.exports, Exports::Plain(_));
        if made_for_call == self.protocol().is_none() {
            self.idle.put(instance);
        }
    }

    /// An instance whose functions can be called by name. That of an HTTP handler is new, and serves
    /// this call only.
    ///
    /// # Errors
    /// As [`Entry::instance`].
    pub(crate) async fn instance_for_call(&self) -> Result<Instance, Failure> {
        if self.protocol().is_none() {
            return self.instance().await;
        }
        let pre = self.code.get().await?;
        let by_name = EntryPre::Plain(pre.instance_pre().clone());
        self.instantiate(&by_name).await
    }

    async fn instantiate(&self, pre: &EntryPre) -> Result<Instance, Failure> {
        let mut store = GuestState::store(self.code.engine(), self.code.recipe.kind, &self.shape);
        let made = match pre {
            EntryPre::HttpP2(pre) => pre.instantiate_async(&mut store).await.map(Exports::HttpP2),
            EntryPre::HttpP3(pre) => pre.instantiate_async(&mut store).await.map(Exports::HttpP3),
            EntryPre::Plain(pre) => pre.instantiate_async(&mut store).await.map(Exports::Plain),
        };
        match made {
            Ok(exports) => Ok(Instance {
                store,
                exports,
                served: 0,
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
        instance.served += 1;
        if instance.served < reuse.requests_max {
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
