//! The signatures of an interface's functions, as shapes and as core types.

use wasm_encoder::ValType;
use wit_parser::{Function, WasmExport, WasmExportKind, WasmImport, WorldKey};

use super::error::GenerateError;
use super::shape::{Flat, ShapeId, Shapes};
use super::world::{CarriedFunction, LinkWorld, MANGLING};

/// A function that generated code carries.
#[derive(Debug)]
pub(crate) struct Call<'w> {
    interface: &'w WorldKey,
    function: &'w Function,
    /// The index on the link.
    pub(crate) index: u32,
    /// True for a function of few scalars.
    pub(crate) is_scalars: bool,
    /// The tuple of the parameters.
    pub(crate) parameters: ShapeId,
    pub(crate) result: Option<ShapeId>,
    /// The shape of a reply: the result, or an empty tuple.
    pub(crate) reply: ShapeId,
}

impl<'w> Call<'w> {
    /// All functions of a world's carried interfaces.
    pub(crate) fn all(
        world: &'w LinkWorld,
        shapes: &mut Shapes,
    ) -> Result<Vec<Self>, GenerateError> {
        let mut calls = Vec::new();
        for carried in &world.carried {
            for carried_function in &carried.functions {
                let function =
                    &world.resolve.interfaces[carried.id].functions[&carried_function.name];
                calls.push(Self::new(
                    world,
                    shapes,
                    (&carried.key, function, carried_function),
                )?);
            }
        }
        Ok(calls)
    }

    fn new(
        world: &LinkWorld,
        shapes: &mut Shapes,
        (interface, function, carried_function): (&'w WorldKey, &'w Function, &CarriedFunction),
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
            interface,
            function,
            index: carried_function.index,
            is_scalars: carried_function.is_scalars,
            parameters,
            result,
            reply,
        })
    }

    /// The name of the function as an import.
    pub(crate) fn import_name(&self, world: &LinkWorld) -> (String, String) {
        let import = WasmImport::Func {
            interface: Some(self.interface),
            func: self.function,
        };
        world.resolve.wasm_import_name(MANGLING, import)
    }

    /// The name of the function as an export, or of its `post-return`.
    pub(crate) fn export_name(&self, world: &LinkWorld, kind: WasmExportKind) -> String {
        let export = WasmExport::Func {
            interface: Some(self.interface),
            func: self.function,
            kind,
        };
        world.resolve.wasm_export_name(MANGLING, export)
    }

    /// The flat parameters; `None` if they go through memory.
    pub(crate) fn flat_parameters<'s>(&self, shapes: &'s Shapes) -> Option<&'s [Flat]> {
        shapes.layout(self.parameters).flat.as_deref()
    }

    /// The single flat result; `None` without a result or if it goes through memory.
    pub(crate) fn flat_result(&self, shapes: &Shapes) -> Option<Flat> {
        match shapes.layout(self.result?).flat.as_deref() {
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
