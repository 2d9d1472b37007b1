//! A queue of functions to generate: each is generated once, after its first use.

use std::collections::{HashMap, VecDeque};

use wasm_encoder::{Function, ValType};

use super::handles::{HandleConversion, Handles};
use super::helpers::Helper;
use super::module::{Func, FunctionType, Module};
use super::shape::{Flat, Shape, ShapeId, Shapes};

/// A generated function, for one type or for all types.
///
/// `p` is the address at which encoded bytes are written or read. A writer returns the end of its
/// bytes. A reader also takes the end of the input, and returns the end of its bytes, or 0 with an
/// error stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// For all types.
    Helper(Helper),
    /// `(p, address) -> p`
    EncodeMemory(ShapeId),
    /// `(p, flat…) -> p`
    EncodeFlat(ShapeId),
    /// Of a list with these elements: `(p, pointer, count) -> p`
    EncodeList(ShapeId),
    /// `(p, end, address) -> p`
    Decode(ShapeId),
    /// Of a list with these elements: `(p, end, address) -> p`
    DecodeList(ShapeId),
    /// `(address) -> (flat…)`
    LoadFlat(ShapeId),
    /// Converts the handles in memory: `(address)`
    ConvertHandles(HandleConversion, ShapeId),
    /// Converts one handle: `(handle) -> handle`
    ConvertHandle(HandleConversion, u32),
    /// Decodes the bytes that a host function has returned: `(address) -> error`, or 0
    Receive(ShapeId),
}

/// A module under construction.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) module: Module,
    pub(crate) shapes: Shapes,
    pub(crate) handles: Handles,
    functions: HashMap<Key, Func>,
    /// Functions that are declared and not yet defined.
    queue: VecDeque<Key>,
}

impl Generator {
    pub(crate) fn new(module: Module, shapes: Shapes, handles: Handles) -> Self {
        Self {
            module,
            shapes,
            handles,
            functions: HashMap::new(),
            queue: VecDeque::new(),
        }
    }

    /// Returns the function for a key, and queues it if it is new.
    pub(crate) fn function(&mut self, key: Key) -> Func {
        if let Some(known) = self.functions.get(&key) {
            return *known;
        }
        let ty = self.signature(key);
        let func = self.module.declare(&ty);
        self.functions.insert(key, func);
        self.queue.push_back(key);
        func
    }

    /// The index of a function, for a call.
    pub(crate) fn index(&mut self, key: Key) -> u32 {
        self.function(key).0
    }

    pub(crate) fn helper(&mut self, helper: Helper) -> u32 {
        self.index(Key::Helper(helper))
    }

    /// Generates all queued functions, and those that they queue in turn.
    pub(crate) fn make_all(&mut self) {
        while let Some(key) = self.queue.pop_front() {
            let body = self.make(key);
            let func = self.function(key);
            self.module.define(func, body);
        }
    }

    fn make(&mut self, key: Key) -> Function {
        match key {
            Key::Helper(helper) => self.make_helper(helper),
            Key::EncodeMemory(shape) => self.make_encode_memory(shape),
            Key::EncodeFlat(shape) => self.make_encode_flat(shape),
            Key::EncodeList(element) => self.make_encode_list(element),
            Key::Decode(shape) => self.make_decode(shape),
            Key::DecodeList(element) => self.make_decode_list(element),
            Key::LoadFlat(shape) => self.make_load_flat(shape),
            Key::ConvertHandles(conversion, shape) => self.make_convert_handles(conversion, shape),
            Key::ConvertHandle(conversion, resource) => {
                self.make_convert_handle(conversion, resource)
            }
            Key::Receive(shape) => self.make_receive(shape),
        }
    }

    fn signature(&self, key: Key) -> FunctionType {
        match key {
            Key::Helper(helper) => helper.signature(),
            Key::EncodeMemory(_) => FunctionType::words(2, 1),
            Key::EncodeFlat(shape) => {
                let mut parameters = vec![ValType::I32];
                parameters.extend(self.flat(shape).iter().map(|flat| ValType::from(*flat)));
                FunctionType::new(&parameters, &[ValType::I32])
            }
            Key::EncodeList(_) | Key::Decode(_) | Key::DecodeList(_) => FunctionType::words(3, 1),
            Key::LoadFlat(shape) => {
                let flat = self.flat(shape).iter().map(|flat| ValType::from(*flat));
                FunctionType::new(&[ValType::I32], &flat.collect::<Vec<_>>())
            }
            Key::ConvertHandles(..) => FunctionType::words(1, 0),
            Key::ConvertHandle(..) | Key::Receive(_) => FunctionType::words(1, 1),
        }
    }

    /// The flat form of a shape that has one.
    pub(crate) fn flat(&self, shape: ShapeId) -> &[Flat] {
        self.shapes
            .layout(shape)
            .flat
            .as_deref()
            .unwrap_or_default()
    }

    /// True if the code for a shape is repeated at each use rather than a function.
    pub(crate) fn is_inline(&self, shape: ShapeId) -> bool {
        match self.shapes.shape(shape) {
            Shape::Record(_) => self.shapes.layout(shape).weight <= INLINE_WEIGHT,
            Shape::Variant(_, cases) => cases.iter().all(Option::is_none),
            _ => true,
        }
    }

    /// The parts of a value that have code of their own, with their offsets: the fields of inline
    /// records, recursively. `shape` itself is always taken apart.
    pub(crate) fn leaves(&self, shape: ShapeId) -> Vec<(u32, ShapeId)> {
        let mut leaves = Vec::new();
        match self.shapes.shape(shape) {
            Shape::Record(fields) => self.add_fields(0, fields, &mut leaves),
            _ => leaves.push((0, shape)),
        }
        leaves
    }

    fn add_fields(&self, base: u32, fields: &[ShapeId], leaves: &mut Vec<(u32, ShapeId)>) {
        for (offset, field) in self.shapes.fields(fields) {
            match self.shapes.shape(field) {
                Shape::Record(inner) if self.is_inline(field) => {
                    self.add_fields(base + offset, inner, leaves);
                }
                _ => leaves.push((base + offset, field)),
            }
        }
    }
}

/// The maximum weight of an inline record. It bounds the size of the generated code: `n` levels of
/// nested types would otherwise produce code for 2ⁿ values.
const INLINE_WEIGHT: u32 = 12;
