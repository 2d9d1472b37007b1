//! The functions of a callee's skeleton. To find one and compare its type is a twentieth of a small call, so
//! an instance remembers those that small calls are made of.

use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Lift, Lower, TypedFunc, WasmList,
};

use super::Callee;
use super::inline_bytes::GivenBack;
use crate::endpoint::Failure;
use crate::linking::Served;

/// What `invoke` of a skeleton gives: the encoded result, or what was wrong with the arguments.
pub(super) type Invoked = Result<GivenBack<WasmList<u8>>, u32>;

/// `invoke-small`.
pub(super) type InvokeSmall = TypedFunc<(u32, u32, u64, u64, u64, u64), (Invoked,)>;

/// `invoke-scalars`.
pub(super) type InvokeScalars = TypedFunc<(u32, u64, u64, u64, u64), (u64,)>;

/// What is known of an instance's skeleton.
#[derive(Default)]
pub(crate) struct Skeleton {
    small: Option<InvokeSmall>,
    scalars: Option<InvokeScalars>,
}

impl Callee {
    /// `invoke-small` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn invoke_small(&mut self) -> Result<InvokeSmall, Failure> {
        self.remembered(|skeleton| &mut skeleton.small, Served::invoke_small)
    }

    /// `invoke-scalars` of the callee's skeleton.
    ///
    /// # Errors
    /// As [`Callee::function`].
    pub(super) fn invoke_scalars(&mut self) -> Result<InvokeScalars, Failure> {
        self.remembered(|skeleton| &mut skeleton.scalars, Served::invoke_scalars)
    }

    fn remembered<A, R>(
        &mut self,
        place: impl Fn(&mut Skeleton) -> &mut Option<TypedFunc<A, R>>,
        index: impl FnOnce(&Served) -> Option<ComponentExportIndex>,
    ) -> Result<TypedFunc<A, R>, Failure>
    where
        A: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        if let Some(known) = place(self.skeleton()?) {
            return Ok(*known);
        }
        let found = self.export(index)?;
        let found = self.typed(found)?;
        *place(self.skeleton()?) = Some(found);
        Ok(found)
    }
}
