//! The body of one generated function: instructions, its locals, and how deeply its blocks are nested.

use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

use super::decode_error::DecodeError;
use super::shape::Flat;

/// A local variable or parameter.
pub(crate) type Local = u32;

/// A block that can be left from within.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label(u32);

/// Globals that every generated module has, by index.
pub(crate) mod global {
    /// Where the free part of the arena begins.
    pub(crate) const TOP: u32 = 0;
    /// Where the memory ends.
    pub(crate) const END: u32 = 1;
    /// What was wrong with the bytes that were read last.
    pub(crate) const ERROR: u32 = 2;
    /// Where the arena begins.
    pub(crate) const BASE: u32 = 3;
    /// How many of these there are.
    pub(crate) const COUNT: u32 = 4;
}

/// The body of a function.
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
            // A function of the plan has 17 parameters at most.
            parameters: u32::try_from(parameters).unwrap_or(u32::MAX),
            locals: Vec::new(),
            free: Vec::new(),
            depth: 0,
        }
    }

    /// Where instructions go that neither open nor close a block.
    pub(crate) fn add(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    /// A local of this type that nobody else uses, until it is given back.
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

    /// A local may be used for something else from here on.
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

    /// If the condition on the stack holds, returns 0 from a function that returns an `i32`, with a reason.
    pub(crate) fn fail_if(&mut self, reason: DecodeError) {
        self.if_();
        self.fail(reason);
        self.end();
    }

    /// Returns 0 from a function that returns an `i32`, with a reason.
    pub(crate) fn fail(&mut self, reason: DecodeError) {
        self.add()
            .i32_const(reason.code())
            .global_set(global::ERROR)
            .i32_const(0)
            .return_();
    }

    /// The function with these instructions.
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

/// An access to canonical memory, which is aligned to its size.
pub(crate) fn at(offset: u32, bytes: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: bytes.trailing_zeros(),
        memory_index: 0,
    }
}

/// An access to encoded bytes, which are not aligned.
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

/// Makes the value on the stack, of type `from`, one of type `to`, where one of them is the slot that the
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
        // Equal, or a pair that no two joined slots make.
        _ => return,
    };
}
