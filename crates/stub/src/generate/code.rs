//! The body of one generated function: its instructions, its locals, and the depth of its blocks.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};
use weft_wire::Malformed;

use super::shape::Flat;

/// A local variable or parameter.
pub(crate) type Local = u32;

/// A block that a branch can leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label(u32);

/// Globals of every generated module, by index.
pub(crate) mod global {
    /// The start of the free part of the arena.
    pub(crate) const TOP: u32 = 0;
    /// The end of the memory.
    pub(crate) const END: u32 = 1;
    /// The reason of the last decoding error.
    pub(crate) const ERROR: u32 = 2;
    /// The start of the arena.
    pub(crate) const BASE: u32 = 3;
    /// Number of these globals.
    pub(crate) const COUNT: u32 = 4;
}

/// The body of a function under construction.
#[derive(Debug)]
pub(crate) struct Code {
    bytes: Vec<u8>,
    parameters: u32,
    locals: Vec<ValType>,
    free: Vec<Local>,
    depth: u32,
}

impl Code {
    pub(crate) fn new(parameters: usize) -> Self {
        Self {
            bytes: Vec::new(),
            // A planned function has at most 17 parameters.
            parameters: u32::try_from(parameters).unwrap_or(u32::MAX),
            locals: Vec::new(),
            free: Vec::new(),
            depth: 0,
        }
    }

    /// The sink for instructions that neither open nor close a block.
    pub(crate) fn add(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    /// Reserves a local of this type until it is released.
    pub(crate) fn local(&mut self, ty: ValType) -> Local {
        let place = self
            .free
            .iter()
            .position(|local| self.locals[(local - self.parameters) as usize] == ty);
        if let Some(place) = place {
            return self.free.swap_remove(place);
        }
        self.locals.push(ty);
        self.parameters + u32::try_from(self.locals.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn local_i32(&mut self) -> Local {
        self.local(ValType::I32)
    }

    /// Makes a local available for other uses.
    pub(crate) fn release(&mut self, local: Local) {
        self.free.push(local);
    }

    pub(crate) fn block(&mut self) -> Label {
        self.add().block(BlockType::Empty);
        self.opened()
    }

    pub(crate) fn loop_(&mut self) -> Label {
        self.add().loop_(BlockType::Empty);
        self.opened()
    }

    pub(crate) fn if_(&mut self) -> Label {
        self.add().if_(BlockType::Empty);
        self.opened()
    }

    pub(crate) fn else_(&mut self) {
        self.add().else_();
    }

    pub(crate) fn end(&mut self) {
        self.depth -= 1;
        self.add().end();
    }

    pub(crate) fn branch(&mut self, label: Label) {
        let depth = self.depth - label.0;
        self.add().br(depth);
    }

    pub(crate) fn branch_if(&mut self, label: Label) {
        let depth = self.depth - label.0;
        self.add().br_if(depth);
    }

    pub(crate) fn branch_table(&mut self, labels: &[Label], default: Label) {
        let depths: Vec<u32> = labels.iter().map(|label| self.depth - label.0).collect();
        let default = self.depth - default.0;
        self.add().br_table(depths, default);
    }

    /// Returns 0 with an error from a function that returns an `i32`, if the condition on the stack
    /// holds.
    pub(crate) fn fail_if(&mut self, error: Malformed) {
        self.if_();
        self.fail(error);
        self.end();
    }

    /// Returns 0 with an error from a function that returns an `i32`.
    pub(crate) fn fail(&mut self, error: Malformed) {
        self.add()
            .i32_const(error.number().cast_signed())
            .global_set(global::ERROR)
            .i32_const(0)
            .return_();
    }

    pub(crate) fn finish(mut self) -> Function {
        self.add().end();
        let mut function = Function::new_with_locals_types(self.locals);
        function.raw(self.bytes);
        function
    }

    fn opened(&mut self) -> Label {
        self.depth += 1;
        Label(self.depth)
    }
}

/// An access to canonical memory, aligned to its size.
pub(crate) fn at(offset: u32, bytes: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: bytes.trailing_zeros(),
        memory_index: 0,
    }
}

/// An unaligned access to encoded bytes.
pub(crate) fn byte_at(offset: u32) -> MemArg {
    at(offset, 1)
}

impl From<Flat> for ValType {
    fn from(flat: Flat) -> Self {
        match flat {
            Flat::I32 => Self::I32,
            Flat::I64 => Self::I64,
            Flat::F32 => Self::F32,
            Flat::F64 => Self::F64,
        }
    }
}

/// Converts the value on the stack from type `from` to type `to`. One of them is a slot that the
/// cases of a variant share.
pub(crate) fn coerce(code: &mut Code, from: Flat, to: Flat) {
    let mut add = code.add();
    match (from, to) {
        (Flat::I32, Flat::F32) => add.f32_reinterpret_i32(),
        (Flat::F32, Flat::I32) => add.i32_reinterpret_f32(),
        (Flat::I32, Flat::I64) => add.i64_extend_i32_u(),
        (Flat::I64, Flat::I32) => add.i32_wrap_i64(),
        (Flat::F32, Flat::I64) => add.i32_reinterpret_f32().i64_extend_i32_u(),
        (Flat::I64, Flat::F32) => add.i32_wrap_i64().f32_reinterpret_i32(),
        (Flat::F64, Flat::I64) => add.i64_reinterpret_f64(),
        (Flat::I64, Flat::F64) => add.f64_reinterpret_i64(),
        // Equal types, or a pair that no joined slots have.
        _ => return,
    };
}
