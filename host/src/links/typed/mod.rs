//! placeholder
use super::{Callee, Link};
use crate::entry::Failure;
use crate::guest::GuestState;
use std::sync::Arc;
use wasmtime::component::LinkerInstance;
use weft_stub::plan::Signature;
pub(crate) fn contains(_: &Signature) -> bool {
    false
}
pub(crate) fn bind_all(
    _: &mut LinkerInstance<'_, GuestState>,
    _: &Arc<Link>,
) -> wasmtime::Result<()> {
    Ok(())
}
pub(crate) async fn serve(
    _: &Signature,
    _: &mut Callee,
    _: u32,
    _: &[u8],
) -> Result<Vec<u8>, Failure> {
    Ok(Vec::new())
}
