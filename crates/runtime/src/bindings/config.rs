//! `wasi:config` over [`weft_provider::config`]: each part reads the values of its own link.

use wasmtime::component::{HasData, LinkerInstance};
use weft_provider::config::ConfigError;

use super::generated::named_imports::wasi::config::store;
use super::generated::wasi::config::store::Error;
use super::{Access, HostInterface};
use crate::guest::GuestState;

/// All interfaces of the package.
pub(super) static INTERFACES: &[HostInterface] = &[HostInterface {
    path: "wasi:config/store",
    version: "0.2.0-rc.1",
    access: Access::Linked,
    bind,
}];

struct View<'a>(&'a mut GuestState);

impl HasData for View<'static> {
    type Data<'a> = View<'a>;
}

fn bind(instance: &mut LinkerInstance<'_, GuestState>, part: usize) -> wasmtime::Result<()> {
    store::add_to_linker_instance::<_, View<'static>>(instance, part, |state| View(state))
}

fn guest_error(error: ConfigError) -> Error {
    match error {
        ConfigError::Upstream(message) => Error::Upstream(message),
        ConfigError::Io(message) => Error::Io(message),
    }
}

impl store::Host for View<'_> {
    async fn get(
        &mut self,
        part: usize,
        key: String,
    ) -> wasmtime::Result<Result<Option<String>, Error>> {
        let Some(config) = self.0.part(part).config.clone() else {
            return Ok(Ok(None));
        };
        Ok(config.get(&key).await.map_err(guest_error))
    }

    async fn get_all(
        &mut self,
        part: usize,
    ) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        let Some(config) = self.0.part(part).config.clone() else {
            return Ok(Ok(Vec::new()));
        };
        Ok(config.get_all().await.map_err(guest_error))
    }
}
