//! placeholder
use super::LinkedFunction;
use crate::guest::GuestState;
use std::sync::Arc;
use wasmtime::component::LinkerInstance;
pub(crate) fn bind_all(
    _: &mut LinkerInstance<'_, GuestState>,
    _: &[Arc<LinkedFunction>],
) -> wasmtime::Result<()> {
    Ok(())
}
