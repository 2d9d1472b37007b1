//! The functions of a callee's skeleton. Finding one and checking its type takes a twentieth of a
//! small call, so an instance caches the functions of small calls.

use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Lift, Lower, TypedFunc, WasmList,
};

use super::Callee;
use super::inline_bytes::FlatReply;
use crate::endpoint::Failure;
use crate::linking::LinkExports;

/// The result of `invoke` of a skeleton: the encoded result, or the code of a decode error.
pub(super) type InvokeResult = Result<FlatReply<WasmList<u8>>, u32>;

/// `invoke-small`.
pub(super) type InvokeSmall = TypedFunc<(u32, u32, u64, u64, u64, u64), (InvokeResult,)>;

/// `invoke-scalars`.
pub(super) type InvokeScalars = TypedFunc<(u32, u64, u64, u64, u64), (u64,)>;

/// The functions found so far of an instance's skeleton.
#[derive(Default)]
pub(crate) struct SkeletonFunctions {
    small: Option<InvokeSmall>,
    scalars: Option<InvokeScalars>,
}

impl Callee {
    /// `invoke-small` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn invoke_small(&mut self) -> Result<InvokeSmall, Failure> {
        self.cached_function(|skeleton| &mut skeleton.small, LinkExports::invoke_small)
    }

    /// `invoke-scalars` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn invoke_scalars(&mut self) -> Result<InvokeScalars, Failure> {
        self.cached_function(
            |skeleton| &mut skeleton.scalars,
            LinkExports::invoke_scalars,
        )
    }

    fn cached_function<A, R>(
        &mut self,
        place: impl Fn(&mut SkeletonFunctions) -> &mut Option<TypedFunc<A, R>>,
        index: impl FnOnce(&LinkExports) -> Option<ComponentExportIndex>,
    ) -> Result<TypedFunc<A, R>, Failure>
    where
        A: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        if let Some(cached) = place(self.skeleton()?) {
            return Ok(*cached);
        }
        let found = self.export(index)?;
        let found = self.typed(found)?;
        *place(self.skeleton()?) = Some(found);
        Ok(found)
    }
}
