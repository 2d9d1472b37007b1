//! Code that encodes values to bytes.
//!
//! Bytes are appended to the free end of the arena in one pass. Their number is not computed in
//! advance: there is a check before a write that may not fit, for [`RESERVED_BYTES`] at once, and
//! the memory grows if it fails. Nothing else is allocated meanwhile.

mod scalar;

use wasm_encoder::Function;

use super::code::{Code, Local, at, byte_at, coerce, global};
use super::generator::{Generator, Key};
use super::helpers::{Helper, RESERVED_BYTES};
use super::shape::{Flat, Shape, ShapeId, Tag};
use super::variant_cases::CaseSwitch;

/// The location of the value to encode.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// In canonical memory.
    Memory { address: Local, offset: u32 },
    /// In locals. Their types may be those of slots that the value shares with other cases.
    Flat(Vec<(Local, Flat)>),
}

/// The position of the next byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sink {
    /// The address, without the `pending` bytes that are written after it.
    p: Local,
    pending: u32,
    /// Number of bytes after those that are known to fit.
    room: u32,
}

impl Sink {
    pub(crate) fn new(p: Local) -> Self {
        let (pending, room) = (0, 0);
        Self { p, pending, room }
    }

    /// Advances `p` past the pending bytes.
    pub(crate) fn flush(&mut self, code: &mut Code) {
        if self.pending > 0 {
            let pending = self.pending.cast_signed();
            code.add()
                .local_get(self.p)
                .i32_const(pending)
                .i32_add()
                .local_set(self.p);
            self.pending = 0;
        }
    }

    /// Ensures that `bytes` fit, at most [`RESERVED_BYTES`].
    fn reserve(&mut self, generator: &mut Generator, code: &mut Code, bytes: u32) {
        if self.room < bytes {
            self.flush(code);
            let reserved = RESERVED_BYTES.cast_signed();
            code.add()
                .global_get(global::END)
                .local_get(self.p)
                .i32_sub()
                .i32_const(reserved)
                .i32_lt_u();
            code.if_();
            let room = generator.helper(Helper::Reserve);
            code.add().local_get(self.p).i32_const(reserved).call(room);
            code.end();
            self.room = RESERVED_BYTES;
        }
        self.room -= bytes;
    }

    /// Returns the offset of the next bytes and counts them as written.
    fn advance(&mut self, bytes: u32) -> u32 {
        self.pending += bytes;
        self.pending - bytes
    }
}

impl Generator {
    pub(crate) fn make_encode_memory(&mut self, shape: ShapeId) -> Function {
        let (p, address) = (0, 1);
        let mut code = Code::new(2);
        let mut sink = Sink::new(p);
        let source = Source::Memory { address, offset: 0 };
        self.encode_here(&mut code, &mut sink, shape, &source);
        sink.flush(&mut code);
        code.add().local_get(p);
        code.finish()
    }

    pub(crate) fn make_encode_flat(&mut self, shape: ShapeId) -> Function {
        let p = 0;
        let flat = self.flat(shape).to_vec();
        let mut code = Code::new(1 + flat.len());
        let mut sink = Sink::new(p);
        let source = Source::Flat((1..).zip(flat).collect());
        self.encode_here(&mut code, &mut sink, shape, &source);
        sink.flush(&mut code);
        code.add().local_get(p);
        code.finish()
    }

    pub(crate) fn make_encode_list(&mut self, element: ShapeId) -> Function {
        let (p, pointer, count) = (0, 1, 2);
        let mut code = Code::new(3);
        let size = self.shapes.layout(element).size.cast_signed();
        if self.shapes.layout(element).is_plain {
            let write = self.helper(Helper::WriteBytes);
            let mut add = code.add();
            add.local_get(p).local_get(pointer).local_get(count);
            add.local_get(count).i32_const(size).i32_mul().call(write);
            return code.finish();
        }
        let mut sink = Sink::new(p);
        self.encode_unsigned(&mut code, &mut sink, Flat::I32, |code| {
            code.add().local_get(count);
        });
        let stop = code.local_i32();
        let mut add = code.add();
        add.local_get(pointer).local_get(count).i32_const(size);
        add.i32_mul().i32_add().local_set(stop);
        let done = code.block();
        let next = code.loop_();
        code.add().local_get(pointer).local_get(stop).i32_eq();
        code.branch_if(done);
        let mut inner = Sink::new(p);
        let source = Source::Memory {
            address: pointer,
            offset: 0,
        };
        self.encode(&mut code, &mut inner, element, &source);
        inner.flush(&mut code);
        let mut add = code.add();
        add.local_get(pointer).i32_const(size).i32_add();
        add.local_set(pointer);
        code.branch(next);
        code.end();
        code.end();
        code.add().local_get(p);
        code.finish()
    }

    /// Encodes a value: in place, or through a function of its type.
    pub(crate) fn encode(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        shape: ShapeId,
        source: &Source,
    ) {
        if self.is_inline(shape)
            || matches!(
                (source, self.shapes.shape(shape)),
                (Source::Flat(_), Shape::Record(_))
            )
        {
            return self.encode_here(code, sink, shape, source);
        }
        sink.flush(code);
        code.add().local_get(sink.p);
        let key = match source {
            Source::Memory { address, offset } => {
                code.add().local_get(*address);
                if *offset > 0 {
                    code.add().i32_const(offset.cast_signed()).i32_add();
                }
                Key::EncodeMemory(shape)
            }
            Source::Flat(slots) => {
                let flat = self.flat(shape).to_vec();
                for ((local, from), to) in slots.iter().zip(flat) {
                    code.add().local_get(*local);
                    coerce(code, *from, to);
                }
                Key::EncodeFlat(shape)
            }
        };
        let function = self.index(key);
        code.add().call(function).local_set(sink.p);
        sink.room = 0;
    }

    /// Encodes a value in place.
    fn encode_here(&mut self, code: &mut Code, sink: &mut Sink, shape: ShapeId, source: &Source) {
        match self.shapes.shape(shape).clone() {
            Shape::Record(fields) => self.encode_record(code, sink, &fields, source),
            Shape::Variant(tag, cases) => self.encode_variant(code, sink, tag, &cases, source),
            Shape::String => {
                sink.flush(code);
                let write = self.helper(Helper::WriteBytes);
                code.add().local_get(sink.p);
                let count = code.local_i32();
                push(code, source, 0, Flat::I32, 4);
                push(code, source, 1, Flat::I32, 4);
                let mut add = code.add();
                add.local_tee(count).local_get(count);
                add.call(write).local_set(sink.p);
                code.release(count);
                sink.room = RESERVED_BYTES;
            }
            Shape::List(element) => {
                sink.flush(code);
                let write = self.index(Key::EncodeList(element));
                code.add().local_get(sink.p);
                push(code, source, 0, Flat::I32, 4);
                push(code, source, 1, Flat::I32, 4);
                code.add().call(write).local_set(sink.p);
                sink.room = 0;
            }
            Shape::Scalar(scalar) => self.encode_scalar(code, sink, scalar, source),
            Shape::Flags(count) => self.encode_flags(code, sink, count, source),
            Shape::Handle { resource, owned } => {
                self.encode_handle(code, sink, (resource, owned), source);
            }
        }
    }

    fn encode_record(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        fields: &[ShapeId],
        source: &Source,
    ) {
        let mut slot = 0;
        for (at, field) in self.shapes.fields(fields) {
            let of_field = match source {
                Source::Memory { address, offset } => Source::Memory {
                    address: *address,
                    offset: offset + at,
                },
                Source::Flat(slots) => {
                    let end = slot + self.flat(field).len();
                    let of_field = slots.get(slot..end).unwrap_or_default().to_vec();
                    slot = end;
                    Source::Flat(of_field)
                }
            };
            self.encode(code, sink, field, &of_field);
        }
    }

    fn encode_variant(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        form: Tag,
        cases: &[Option<ShapeId>],
        source: &Source,
    ) {
        let layout = self.shapes.variant_layout(cases);
        let tag = code.local_i32();
        push(code, source, 0, Flat::I32, layout.tag_bytes);
        code.add().local_set(tag);
        if form == Tag::Byte || cases.len() <= 0x80 {
            sink.reserve(self, code, 1);
            let place = byte_at(sink.advance(1));
            code.add()
                .local_get(sink.p)
                .local_get(tag)
                .i32_store8(place);
        } else {
            self.encode_unsigned(code, sink, Flat::I32, |code| {
                code.add().local_get(tag);
            });
        }
        let of_payload = match source {
            Source::Memory { address, offset } => Source::Memory {
                address: *address,
                offset: offset + layout.payload,
            },
            Source::Flat(slots) => Source::Flat(slots.get(1..).unwrap_or_default().to_vec()),
        };
        let switch = CaseSwitch::new(cases);
        if cases.iter().any(Option::is_some) {
            sink.flush(code);
            let before = *sink;
            switch.emit(code, tag, |code, payload| {
                let mut arm = before;
                self.encode(code, &mut arm, payload, &of_payload);
                arm.flush(code);
                sink.room = sink.room.min(arm.room);
            });
        }
        code.release(tag);
    }
}

/// Pushes a part of a value onto the stack: the slot with this number as a `flat`, or `bytes` of
/// memory. The two words of a list are adjacent in memory, like its slots.
fn push(code: &mut Code, source: &Source, slot: usize, flat: Flat, bytes: u32) {
    match source {
        Source::Memory { address, offset } => {
            let skip = if slot == 0 { 0 } else { 4 };
            load(code, *address, offset + skip, flat, bytes);
        }
        Source::Flat(slots) => {
            if let Some((local, from)) = slots.get(slot) {
                code.add().local_get(*local);
                coerce(code, *from, flat);
            }
        }
    }
}

/// Pushes `bytes` of memory onto the stack as a `flat`.
pub(crate) fn load(code: &mut Code, address: Local, offset: u32, flat: Flat, bytes: u32) {
    let place = at(offset, bytes);
    let mut add = code.add();
    add.local_get(address);
    match (flat, bytes) {
        (Flat::I32, 1) => add.i32_load8_u(place),
        (Flat::I32, 2) => add.i32_load16_u(place),
        (Flat::I32, _) => add.i32_load(place),
        (Flat::I64, _) => add.i64_load(place),
        (Flat::F32, _) => add.f32_load(place),
        (Flat::F64, _) => add.f64_load(place),
    };
}
