//! `wasi:keyvalue` over [`weft_provider::keyvalue`].
//!
//! Only `open` depends on the calling part: it searches the links of that part. The handle that it
//! returns contains the bucket, so the other functions are the same for all parts.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{HasData, LinkerInstance, Resource, ResourceTable, ResourceTableError};
use weft_provider::keyvalue::{Bucket, Cursors, KeyValue, KeyValueError};

use super::generated::wasi::keyvalue::{atomics, batch, store};
use super::{Access, HostInterface};
use crate::guest::GuestState;

const VERSION: &str = "0.2.0-draft";

/// The interface that opens buckets.
pub(super) const STORE: &str = "wasi:keyvalue/store";

/// All interfaces of the package.
pub(super) static INTERFACES: &[HostInterface] = &[
    HostInterface {
        path: STORE,
        version: VERSION,
        access: Access::Linked,
        bind: bind_store,
    },
    HostInterface {
        path: "wasi:keyvalue/atomics",
        version: VERSION,
        access: Access::Linked,
        bind: |instance, _part| atomics::add_to_linker_instance::<_, View<'static>>(instance, view),
    },
    HostInterface {
        path: "wasi:keyvalue/batch",
        version: VERSION,
        access: Access::Linked,
        bind: |instance, _part| batch::add_to_linker_instance::<_, View<'static>>(instance, view),
    },
];

/// The resource behind a `bucket` handle.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct GuestBucket {
    bucket: Arc<dyn Bucket>,
    /// Maps cursors: a number in the draft, a key for providers.
    cursors: Cursors,
}

/// The error of every function of the package.
#[derive(Debug)]
pub(super) enum StoreError {
    /// Returned to the guest.
    Guest(KeyValueError),
    /// Traps the guest, for a handle that is not valid.
    Trap(ResourceTableError),
}

impl From<KeyValueError> for StoreError {
    fn from(error: KeyValueError) -> Self {
        Self::Guest(error)
    }
}

impl From<ResourceTableError> for StoreError {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error)
    }
}

struct View<'a>(&'a mut ResourceTable);

impl HasData for View<'static> {
    type Data<'a> = View<'a>;
}

fn view(state: &mut GuestState) -> View<'_> {
    View(state.table())
}

fn bind_store(instance: &mut LinkerInstance<'_, GuestState>, part: usize) -> wasmtime::Result<()> {
    store::add_to_linker_instance::<_, View<'static>>(instance, view)?;
    // Replaces the generated `open`, which does not receive the index of the part.
    bind_open(instance, part, Some)
}

/// Restricts the store of an import with a plain name to the bucket of that name. The guest has
/// chosen by the import, so it opens the bucket with the empty identifier as well.
pub(super) fn narrow_store(
    instance: &mut LinkerInstance<'_, GuestState>,
    part: usize,
    name: &str,
) -> wasmtime::Result<()> {
    let name = name.to_owned();
    bind_open(instance, part, move |identifier| {
        let is_allowed = identifier.is_empty() || identifier == name;
        is_allowed.then(|| name.clone())
    })
}

/// Defines `open` for a part. `bucket` returns the identifier of the bucket to open; `None` if the
/// import has none for the guest's identifier.
fn bind_open(
    instance: &mut LinkerInstance<'_, GuestState>,
    part: usize,
    bucket: impl Fn(String) -> Option<String> + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    instance.func_wrap_async("open", move |mut context, (identifier,): (String,)| {
        let stores = context.data_mut().part(part).keyvalue.clone();
        let bucket = bucket(identifier);
        Box::new(async move {
            let view = view(context.data_mut());
            let opened = match bucket {
                Some(bucket) => open(&stores, &bucket).await,
                None => Err(KeyValueError::NoSuchStore),
            };
            let opened = match opened {
                Ok(bucket) => Ok(view.0.push(GuestBucket {
                    bucket,
                    cursors: Cursors::default(),
                })?),
                Err(error) => Err(guest_error(error)),
            };
            Ok((opened,))
        })
    })
}

/// Opens the bucket through the first link that has one with the identifier.
async fn open(
    stores: &[Arc<dyn KeyValue>],
    identifier: &str,
) -> Result<Arc<dyn Bucket>, KeyValueError> {
    for store in stores {
        match store.open(identifier).await {
            Err(KeyValueError::NoSuchStore) => {}
            outcome => return outcome,
        }
    }
    Err(KeyValueError::NoSuchStore)
}

fn guest_error(error: KeyValueError) -> store::Error {
    match error {
        KeyValueError::NoSuchStore => store::Error::NoSuchStore,
        KeyValueError::AccessDenied => store::Error::AccessDenied,
        KeyValueError::Other(message) => store::Error::Other(message),
    }
}

impl View<'_> {
    fn bucket(&self, handle: &Resource<GuestBucket>) -> Result<Arc<dyn Bucket>, StoreError> {
        Ok(self.0.get(handle)?.bucket.clone())
    }
}

impl store::Host for View<'_> {
    fn convert_error(&mut self, error: StoreError) -> wasmtime::Result<store::Error> {
        match error {
            StoreError::Guest(error) => Ok(guest_error(error)),
            StoreError::Trap(error) => Err(error.into()),
        }
    }

    async fn open(&mut self, _identifier: String) -> Result<Resource<GuestBucket>, StoreError> {
        // Never called: `bind_store` replaces this function.
        Err(KeyValueError::NoSuchStore.into())
    }
}

impl store::HostBucket for View<'_> {
    async fn get(
        &mut self,
        handle: Resource<GuestBucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.bucket(&handle)?.get(&key).await?.map(Vec::from))
    }

    async fn set(
        &mut self,
        handle: Resource<GuestBucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), StoreError> {
        Ok(self.bucket(&handle)?.set(&key, Bytes::from(value)).await?)
    }

    async fn delete(
        &mut self,
        handle: Resource<GuestBucket>,
        key: String,
    ) -> Result<(), StoreError> {
        Ok(self.bucket(&handle)?.delete(&key).await?)
    }

    async fn exists(
        &mut self,
        handle: Resource<GuestBucket>,
        key: String,
    ) -> Result<bool, StoreError> {
        Ok(self.bucket(&handle)?.exists(&key).await?)
    }

    async fn list_keys(
        &mut self,
        handle: Resource<GuestBucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, StoreError> {
        let GuestBucket { bucket, cursors } = self.0.get_mut(&handle)?;
        let after = cursor.map(|number| cursors.get(number)).transpose()?;
        let page = bucket.list_keys(after).await?;
        let cursor = page.cursor.map(|key| cursors.number(key));
        Ok(store::KeyResponse {
            keys: page.keys,
            cursor,
        })
    }

    async fn drop(&mut self, handle: Resource<GuestBucket>) -> wasmtime::Result<()> {
        self.0.delete(handle)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(
        &mut self,
        handle: Resource<GuestBucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, StoreError> {
        let too_large =
            |_| KeyValueError::Other("the increment of a counter exceeds 2^63 - 1".to_owned());
        let delta = i64::try_from(delta).map_err(too_large)?;
        let value = self.bucket(&handle)?.increment(&key, delta).await?;
        let negative = |_| KeyValueError::Other(format!("the counter `{key}` is negative"));
        Ok(u64::try_from(value).map_err(negative)?)
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        handle: Resource<GuestBucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, StoreError> {
        let values = self.bucket(&handle)?.get_many(&keys).await?;
        let pairs = keys.into_iter().zip(values);
        Ok(pairs
            .map(|(key, value)| value.map(|value| (key, Vec::from(value))))
            .collect())
    }

    async fn set_many(
        &mut self,
        handle: Resource<GuestBucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| (key, Bytes::from(value)))
            .collect();
        Ok(self.bucket(&handle)?.set_many(pairs).await?)
    }

    async fn delete_many(
        &mut self,
        handle: Resource<GuestBucket>,
        keys: Vec<String>,
    ) -> Result<(), StoreError> {
        Ok(self.bucket(&handle)?.delete_many(&keys).await?)
    }
}
