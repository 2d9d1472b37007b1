//! The functions of an interface, as shapes and as core types.

use wasm_encoder::ValType;
use wit_parser::{Function, LiftLowerAbi, ManglingAndAbi};

use super::error::GenerateError;
use super::shape::{Flat, ShapeId, Shapes};
use super::world::LinkWorld;

/// How the tools name what modules import and export.
pub(crate) const MANGLING: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// The shapes of a function.
#[derive(Debug)]
pub(crate) struct Signature {
    /// The tuple of the parameters.
    pub(crate) parameters: ShapeId,
    pub(crate) result: Option<ShapeId>,
    /// What a reply is: the result, or a tuple of nothing.
    pub(crate) reply: ShapeId,
}

impl Signature {
    pub(crate) fn new(
        shapes: &mut Shapes,
        world: &LinkWorld,
        function: &Function,
    ) -> Result<Self, GenerateError> {
        let types = function.params.iter().map(|parameter| &parameter.ty);
        let parameters = shapes.add_tuple(&world.resolve, types)?;
        let result = function.result.as_ref();
        let result = result
            .map(|ty| shapes.add(&world.resolve, ty))
            .transpose()?;
        let reply = match result {
            Some(result) => result,
            None => shapes.add_tuple(&world.resolve, std::iter::empty())?,
        };
        Ok(Self {
            parameters,
            result,
            reply,
        })
    }

    /// The flat parameters, unless they go through memory.
    pub(crate) fn flat_parameters<'s>(&self, shapes: &'s Shapes) -> Option<&'s [Flat]> {
        shapes.facts(self.parameters).flat.as_deref()
    }

    /// The one flat result, if there is a result and it does not go through memory.
    pub(crate) fn flat_result(&self, shapes: &Shapes) -> Option<Flat> {
        match shapes.facts(self.result?).flat.as_deref() {
            Some([flat]) => Some(*flat),
            _ => None,
        }
    }

    /// The result, if it goes through memory.
    pub(crate) fn result_in_memory(&self, shapes: &Shapes) -> Option<ShapeId> {
        self.result.filter(|_| self.flat_result(shapes).is_none())
    }

    /// The core types of the parameters.
    pub(crate) fn core_parameters(&self, shapes: &Shapes) -> Vec<ValType> {
        match self.flat_parameters(shapes) {
            Some(flat) => flat.iter().map(|flat| (*flat).into()).collect(),
            None => vec![ValType::I32],
        }
    }
}
