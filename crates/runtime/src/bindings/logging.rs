//! `wasi:logging` over [`weft_provider::logging`]: each part logs through its own link.

use wasmtime::component::{HasData, LinkerInstance};
use weft_provider::logging::{Level, LogRecord};

use super::generated::named_imports::wasi::logging::logging;
use super::generated::wasi::logging::logging::Level as GuestLevel;
use super::{Access, HostInterface};
use crate::guest::GuestState;

/// All interfaces of the package.
pub(super) static INTERFACES: &[HostInterface] = &[HostInterface {
    path: "wasi:logging/logging",
    version: "0.1.0-draft",
    access: Access::Linked,
    bind,
}];

struct View<'a>(&'a mut GuestState);

impl HasData for View<'static> {
    type Data<'a> = View<'a>;
}

fn bind(instance: &mut LinkerInstance<'_, GuestState>, part: usize) -> wasmtime::Result<()> {
    logging::add_to_linker_instance::<_, View<'static>>(instance, part, |state| View(state))
}

impl logging::Host for View<'_> {
    async fn log(
        &mut self,
        part: usize,
        level: GuestLevel,
        context: String,
        message: String,
    ) -> wasmtime::Result<()> {
        if let Some(logging) = &self.0.part(part).logging {
            logging.log(&LogRecord::new(level_of(level), &context, &message));
        }
        Ok(())
    }
}

fn level_of(level: GuestLevel) -> Level {
    match level {
        GuestLevel::Trace => Level::Trace,
        GuestLevel::Debug => Level::Debug,
        GuestLevel::Info => Level::Info,
        GuestLevel::Warn => Level::Warn,
        GuestLevel::Error => Level::Error,
        GuestLevel::Critical => Level::Critical,
    }
}
