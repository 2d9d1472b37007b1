//! Conversion of resource handles in stubs and skeletons.
//!
//! A stub implements the resources of its interfaces: the representation of one is its number on
//! the other side. A skeleton receives handles from the exporter and stores them in a table, whose
//! indices make up those numbers. Both decode a value completely before they convert the handles in
//! it, so a malformed value has no side effects.

use wasm_encoder::Function;

use super::code::{Code, Local, at};
use super::generator::{Generator, Key};
use super::helpers::Helper;
use super::module::{Func, FunctionType, Module};
use super::shape::{Shape, ShapeId};
use super::variant_cases::CaseSwitch;

/// A conversion of handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HandleConversion {
    /// Stub: makes a resource for a received number.
    Create,
    /// Stub: drops an owned resource that moves to the other side, and returns its number.
    Transfer,
    /// Skeleton: looks up the exporter's resource for a number that the caller lends.
    Borrow,
    /// Skeleton: removes the exporter's resource from the table for a number that the caller gives
    /// back.
    Take,
    /// Skeleton: stores a resource of the exporter in the table, and returns a number for it.
    Store,
}

/// The way a module handles resources.
#[derive(Debug)]
pub(crate) enum Handles {
    /// Implements the resources.
    Stub {
        resources: Vec<ResourceIntrinsics>,
        /// A global that is 1 while a resource is dropped that moves to the other side.
        moved: u32,
    },
    /// Uses the exporter's resources.
    Skeleton {
        has_resources: bool,
        table: Table,
        /// A global that is 1 after a call, while its result may still be read.
        call_finished: u32,
    },
}

/// The intrinsics of a resource that a stub implements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResourceIntrinsics {
    pub(crate) new: Func,
    pub(crate) representation: Func,
    pub(crate) drop: Func,
}

/// The globals of a skeleton's table of handles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    /// The address of the table.
    pub(crate) start: u32,
    /// Number of entries, used or not.
    pub(crate) length: u32,
    /// Number of entries that fit.
    pub(crate) capacity: u32,
    /// The first unused entry, as its index plus 1; 0 if all are used.
    pub(crate) unused: u32,
    /// The first generation of entries.
    pub(crate) first: u32,
    /// An even number that distinguishes the handles of this call from those of earlier calls.
    pub(crate) stamp: u32,
}

impl Table {
    pub(crate) fn new(module: &mut Module) -> Self {
        Self {
            start: module.add_global(super::memory_layout::ARENA_START),
            length: module.add_global(0),
            capacity: module.add_global(0),
            unused: module.add_global(0),
            first: module.add_global(1),
            stamp: module.add_global(0),
        }
    }
}

impl Handles {
    pub(crate) fn is_stub(&self) -> bool {
        matches!(self, Self::Stub { .. })
    }

    /// The table of a skeleton with resources.
    pub(crate) fn table(&self) -> Option<Table> {
        match self {
            Self::Skeleton {
                table,
                has_resources: true,
                ..
            } => Some(*table),
            _ => None,
        }
    }

    /// The global that is 1 after a skeleton's call.
    pub(crate) fn call_finished(&self) -> Option<u32> {
        match self {
            Self::Skeleton { call_finished, .. } => Some(*call_finished),
            Self::Stub { .. } => None,
        }
    }
}

impl Generator {
    pub(crate) fn make_convert_handles(
        &mut self,
        conversion: HandleConversion,
        shape: ShapeId,
    ) -> Function {
        let mut code = Code::new(1);
        self.convert_handles(&mut code, conversion, shape, (0, 0));
        code.finish()
    }

    /// Converts the handles in a value: its fields, the payload of its case, its elements.
    pub(crate) fn convert_handles(
        &mut self,
        code: &mut Code,
        conversion: HandleConversion,
        shape: ShapeId,
        (address, offset): (Local, u32),
    ) {
        if !self.shapes.layout(shape).has_handles {
            return;
        }
        match self.shapes.shape(shape).clone() {
            Shape::Handle { resource, owned } => {
                let conversion = match conversion {
                    HandleConversion::Take if !owned => HandleConversion::Borrow,
                    conversion => conversion,
                };
                let convert = self.index(Key::ConvertHandle(conversion, resource));
                let mut add = code.add();
                add.local_get(address).local_get(address);
                add.i32_load(at(offset, 4)).call(convert);
                add.i32_store(at(offset, 4));
            }
            Shape::Record(fields) => {
                for (at, field) in self.shapes.fields(&fields) {
                    self.convert_part(code, conversion, field, (address, offset + at));
                }
            }
            Shape::Variant(_, cases) => {
                let layout = self.shapes.variant_layout(&cases);
                let tag = code.local_i32();
                super::encode::load(
                    code,
                    address,
                    offset,
                    super::shape::Flat::I32,
                    layout.tag_bytes,
                );
                code.add().local_set(tag);
                CaseSwitch::new(&cases).emit(code, tag, |code, payload| {
                    self.convert_part(
                        code,
                        conversion,
                        payload,
                        (address, offset + layout.payload),
                    );
                });
                code.release(tag);
            }
            Shape::List(element) => self.convert_list(code, conversion, element, (address, offset)),
            // Types without handles.
            _ => {}
        }
    }

    /// Converts a single handle in place, others through a function of the type.
    fn convert_part(
        &mut self,
        code: &mut Code,
        conversion: HandleConversion,
        shape: ShapeId,
        (address, offset): (Local, u32),
    ) {
        if matches!(self.shapes.shape(shape), Shape::Handle { .. }) {
            return self.convert_handles(code, conversion, shape, (address, offset));
        }
        if self.shapes.layout(shape).has_handles {
            let convert = self.index(Key::ConvertHandles(conversion, shape));
            let mut add = code.add();
            add.local_get(address).i32_const(offset.cast_signed());
            add.i32_add().call(convert);
        }
    }

    fn convert_list(
        &mut self,
        code: &mut Code,
        conversion: HandleConversion,
        element: ShapeId,
        (address, offset): (Local, u32),
    ) {
        let size = self.shapes.layout(element).size.cast_signed();
        let (cursor, stop) = (code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.local_get(address).i32_load(at(offset, 4));
        add.local_tee(cursor).local_get(address);
        add.i32_load(at(offset + 4, 4)).i32_const(size).i32_mul();
        add.i32_add().local_set(stop);
        let done = code.block();
        let next = code.loop_();
        code.add().local_get(cursor).local_get(stop).i32_eq();
        code.branch_if(done);
        self.convert_part(code, conversion, element, (cursor, 0));
        let mut add = code.add();
        add.local_get(cursor).i32_const(size).i32_add();
        add.local_set(cursor);
        code.branch(next);
        code.end();
        code.end();
        code.release(cursor);
        code.release(stop);
    }

    pub(crate) fn make_convert_handle(
        &mut self,
        conversion: HandleConversion,
        resource: u32,
    ) -> Function {
        let handle = 0;
        let mut code = Code::new(1);
        match (conversion, self.resource_intrinsics(resource)) {
            (HandleConversion::Create, Some((intrinsics, _))) => {
                code.add().local_get(handle).call(intrinsics.new.0);
            }
            (HandleConversion::Transfer, Some((intrinsics, moved))) => {
                let number = code.local_i32();
                let mut add = code.add();
                add.local_get(handle).call(intrinsics.representation.0);
                add.local_set(number);
                // The destructor skips its message to the other side.
                add.i32_const(1).global_set(moved);
                add.local_get(handle).call(intrinsics.drop.0);
                add.i32_const(0).global_set(moved).local_get(number);
            }
            (HandleConversion::Borrow, _) => {
                let find = self.helper(Helper::FindEntry);
                code.add().local_get(handle).call(find).i32_load(at(0, 4));
            }
            (HandleConversion::Take, _) => {
                let take = self.helper(Helper::TakeEntry);
                code.add().local_get(handle).call(take);
            }
            (HandleConversion::Store, _) => {
                let keep = self.helper(Helper::AddEntry);
                let resource = resource.cast_signed();
                code.add().local_get(handle).i32_const(resource).call(keep);
            }
            // A skeleton implements no resources.
            (HandleConversion::Create | HandleConversion::Transfer, None) => {
                code.add().unreachable();
            }
        }
        code.finish()
    }

    fn resource_intrinsics(&self, resource: u32) -> Option<(ResourceIntrinsics, u32)> {
        let Handles::Stub { resources, moved } = &self.handles else {
            return None;
        };
        let intrinsics = resources.get(resource as usize)?;
        Some((*intrinsics, *moved))
    }
}

/// The types of the resource intrinsics.
pub(crate) mod intrinsic {
    use super::FunctionType;

    pub(crate) fn converts() -> FunctionType {
        FunctionType::words(1, 1)
    }

    pub(crate) fn drops() -> FunctionType {
        FunctionType::words(1, 0)
    }
}
