//! Code that writes values as bytes.
//!
//! Bytes go to the free end of the arena in one pass. The room for them is not measured before: there is
//! a check before what may not fit, for a stretch of [`STRETCH`] bytes at once, and the memory grows when it
//! fails. Nothing is allocated meanwhile.

use wasm_encoder::{Function, ValType};

use super::code::{Code, Local, at, byte_at, coerce, global};
use super::generator::{Generator, Key};
use super::handles::Step;
use super::helpers::{Helper, STRETCH};
use super::shape::{Flat, Shape, ShapeId, Tag};
use super::switch::Switch;

/// Where a value is that is being written.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// In canonical memory.
    Memory { address: Local, offset: u32 },
    /// In locals, whose types may be those of slots that it shares with other cases.
    Flat(Vec<(Local, Flat)>),
}

/// Where the next byte goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sink {
    /// The address, up to `pending` bytes that are written and not yet added.
    p: Local,
    pending: u32,
    /// For how many bytes behind those there is room.
    room: u32,
}

impl Sink {
    pub(crate) fn new(p: Local) -> Self {
        let (pending, room) = (0, 0);
        Self { p, pending, room }
    }

    /// Makes `p` the address.
    pub(crate) fn settle(&mut self, code: &mut Code) {
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

    /// Makes room for so many bytes, at most [`STRETCH`].
    fn need(&mut self, generator: &mut Generator, code: &mut Code, bytes: u32) {
        if self.room < bytes {
            self.settle(code);
            let stretch = STRETCH.cast_signed();
            code.add()
                .global_get(global::END)
                .local_get(self.p)
                .i32_sub()
                .i32_const(stretch)
                .i32_lt_u();
            code.when();
            let room = generator.helper(Helper::Room);
            code.add().local_get(self.p).i32_const(stretch).call(room);
            code.end();
            self.room = STRETCH;
        }
        self.room -= bytes;
    }

    /// The place of the next bytes, which are counted as written.
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
        self.encode_apart(&mut code, &mut sink, shape, &source);
        sink.settle(&mut code);
        code.add().local_get(p);
        code.finish()
    }

    pub(crate) fn make_encode_flat(&mut self, shape: ShapeId) -> Function {
        let p = 0;
        let flat = self.flat(shape).to_vec();
        let mut code = Code::new(1 + flat.len());
        let mut sink = Sink::new(p);
        let source = Source::Flat((1..).zip(flat).collect());
        self.encode_apart(&mut code, &mut sink, shape, &source);
        sink.settle(&mut code);
        code.add().local_get(p);
        code.finish()
    }

    pub(crate) fn make_encode_list(&mut self, element: ShapeId) -> Function {
        let (p, pointer, count) = (0, 1, 2);
        let mut code = Code::new(3);
        let size = self.shapes.facts(element).size.cast_signed();
        if self.shapes.facts(element).plain {
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
        let stop = code.take_i32();
        let mut add = code.add();
        add.local_get(pointer).local_get(count).i32_const(size);
        add.i32_mul().i32_add().local_set(stop);
        let done = code.block();
        let next = code.repeat();
        code.add().local_get(pointer).local_get(stop).i32_eq();
        code.leave_if(done);
        let mut inner = Sink::new(p);
        let source = Source::Memory {
            address: pointer,
            offset: 0,
        };
        self.encode(&mut code, &mut inner, element, &source);
        inner.settle(&mut code);
        let mut add = code.add();
        add.local_get(pointer).i32_const(size).i32_add();
        add.local_set(pointer);
        code.leave(next);
        code.end();
        code.end();
        code.add().local_get(p);
        code.finish()
    }

    /// Writes a value: here, or by a function of its type.
    pub(crate) fn encode(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        shape: ShapeId,
        source: &Source,
    ) {
        if self.is_inline(shape) || matches!((source, self.shapes.shape(shape)), (Source::Flat(_), Shape::Record(_))) {
            return self.encode_apart(code, sink, shape, source);
        }
        sink.settle(code);
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

    /// Writes a value here.
    fn encode_apart(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        shape: ShapeId,
        source: &Source,
    ) {
        match self.shapes.shape(shape).clone() {
            Shape::Record(fields) => self.encode_record(code, sink, &fields, source),
            Shape::Variant(tag, cases) => self.encode_variant(code, sink, tag, &cases, source),
            Shape::String => {
                sink.settle(code);
                let write = self.helper(Helper::WriteBytes);
                code.add().local_get(sink.p);
                let count = code.take_i32();
                push(code, source, 0, Flat::I32, 4);
                push(code, source, 1, Flat::I32, 4);
                let mut add = code.add();
                add.local_tee(count).local_get(count);
                add.call(write).local_set(sink.p);
                code.give_back(count);
                sink.room = STRETCH;
            }
            Shape::List(element) => {
                sink.settle(code);
                let write = self.index(Key::EncodeList(element));
                code.add().local_get(sink.p);
                push(code, source, 0, Flat::I32, 4);
                push(code, source, 1, Flat::I32, 4);
                code.add().call(write).local_set(sink.p);
                sink.room = 0;
            }
            scalar => self.encode_scalar(code, sink, &scalar, source),
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
        let tag = code.take_i32();
        push(code, source, 0, Flat::I32, layout.tag_bytes);
        code.add().local_set(tag);
        if form == Tag::Byte || cases.len() <= 0x80 {
            sink.need(self, code, 1);
            let place = byte_at(sink.advance(1));
            code.add().local_get(sink.p).local_get(tag).i32_store8(place);
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
        let switch = Switch::new(cases);
        if cases.iter().any(Option::is_some) {
            sink.settle(code);
            let before = *sink;
            switch.emit(code, tag, |code, payload| {
                let mut arm = before;
                self.encode(code, &mut arm, payload, &of_payload);
                arm.settle(code);
                sink.room = sink.room.min(arm.room);
            });
        }
        code.give_back(tag);
    }

    fn encode_scalar(&mut self, code: &mut Code, sink: &mut Sink, shape: &Shape, source: &Source) {
        match shape {
            Shape::Bool | Shape::U8 | Shape::S8 => {
                self.encode_fixed(code, sink, 1, |code| push(code, source, 0, Flat::I32, 1));
            }
            Shape::F32 => self.encode_float(code, sink, Flat::F32, source),
            Shape::F64 => self.encode_float(code, sink, Flat::F64, source),
            Shape::Flags(count) => {
                let (wire, memory) = (count.div_ceil(8), count.div_ceil(8).next_power_of_two());
                self.encode_fixed(code, sink, wire, |code| {
                    push(code, source, 0, Flat::I32, memory);
                });
            }
            Shape::U16 => self.encode_unsigned(code, sink, Flat::I32, |code| {
                push(code, source, 0, Flat::I32, 2);
            }),
            Shape::U32 => self.encode_unsigned(code, sink, Flat::I32, |code| {
                push(code, source, 0, Flat::I32, 4);
            }),
            Shape::U64 => self.encode_unsigned(code, sink, Flat::I64, |code| {
                push(code, source, 0, Flat::I64, 8);
            }),
            Shape::S16 => self.encode_signed(code, sink, Flat::I32, |code| {
                push(code, source, 0, Flat::I32, 2);
                code.add().i32_extend16_s();
            }),
            Shape::S32 => self.encode_signed(code, sink, Flat::I32, |code| {
                push(code, source, 0, Flat::I32, 4);
            }),
            Shape::S64 => self.encode_signed(code, sink, Flat::I64, |code| {
                push(code, source, 0, Flat::I64, 8);
            }),
            Shape::Char => self.encode_char(code, sink, source),
            Shape::Handle { resource, owned } => {
                self.encode_handle(code, sink, (*resource, *owned), source);
            }
            // Not scalars.
            Shape::String | Shape::List(_) | Shape::Record(_) | Shape::Variant(..) => {}
        }
    }

    /// Writes the low bytes of an `i32`: 1 to 4 of them.
    fn encode_fixed(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        bytes: u32,
        value: impl FnOnce(&mut Code),
    ) {
        // Of three bytes a fourth is written and written over.
        sink.need(self, code, bytes.next_power_of_two());
        let place = byte_at(sink.advance(bytes));
        code.add().local_get(sink.p);
        value(code);
        match bytes {
            1 => code.add().i32_store8(place),
            2 => code.add().i32_store16(place),
            _ => code.add().i32_store(place),
        };
    }

    fn encode_float(&mut self, code: &mut Code, sink: &mut Sink, flat: Flat, source: &Source) {
        let bytes = if flat == Flat::F32 { 4 } else { 8 };
        sink.need(self, code, bytes);
        let place = byte_at(sink.advance(bytes));
        code.add().local_get(sink.p);
        push(code, source, 0, flat, bytes);
        match flat {
            Flat::F32 => code.add().f32_store(place),
            _ => code.add().f64_store(place),
        };
    }

    /// Writes an integer that is mostly small: one byte here, more by a helper.
    fn encode_unsigned(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        flat: Flat,
        value: impl FnOnce(&mut Code),
    ) {
        let number = code.take(ValType::from(flat));
        value(code);
        let mut add = code.add();
        add.local_tee(number);
        match flat {
            Flat::I64 => add.i64_const(0x80).i64_lt_u(),
            _ => add.i32_const(0x80).i32_lt_u(),
        };
        self.encode_integer(code, sink, (number, flat), Helper::WriteUnsigned);
    }

    fn encode_signed(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        flat: Flat,
        value: impl FnOnce(&mut Code),
    ) {
        let number = code.take(ValType::from(flat));
        value(code);
        let mut add = code.add();
        add.local_tee(number);
        match flat {
            Flat::I64 => add.i64_const(0x40).i64_add().i64_const(0x80).i64_lt_u(),
            _ => add.i32_const(0x40).i32_add().i32_const(0x80).i32_lt_u(),
        };
        self.encode_integer(code, sink, (number, flat), Helper::WriteSigned);
    }

    /// Writes an integer; whether it is one byte is on the stack.
    fn encode_integer(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        (number, flat): (Local, Flat),
        slow: Helper,
    ) {
        const MOST: u32 = 10;
        let is_small = code.take_i32();
        code.add().local_set(is_small);
        sink.need(self, code, MOST);
        let place = sink.advance(0);
        code.add().local_get(is_small);
        code.when();
        let mut add = code.add();
        add.local_get(sink.p).local_get(number);
        match flat {
            Flat::I64 => add.i32_wrap_i64(),
            _ => &mut add,
        };
        add.i32_const(0x7f).i32_and().i32_store8(byte_at(place));
        add.local_get(sink.p).i32_const(place.cast_signed() + 1);
        add.i32_add().local_set(sink.p);
        code.otherwise();
        let slow_index = self.helper(slow);
        let mut add = code.add();
        add.local_get(sink.p).i32_const(place.cast_signed()).i32_add();
        add.local_get(number);
        match (flat, slow) {
            (Flat::I64, _) => &mut add,
            (_, Helper::WriteSigned) => add.i64_extend_i32_s(),
            _ => add.i64_extend_i32_u(),
        };
        add.call(slow_index).local_set(sink.p);
        code.end();
        sink.pending = 0;
        code.give_back(is_small);
        code.give_back(number);
    }

    fn encode_char(&mut self, code: &mut Code, sink: &mut Sink, source: &Source) {
        const MOST: u32 = 4;
        sink.need(self, code, MOST);
        sink.settle(code);
        let write = self.helper(Helper::WriteChar);
        code.add().local_get(sink.p);
        push(code, source, 0, Flat::I32, 4);
        code.add().call(write).local_set(sink.p);
    }

    /// A handle is written as a list of four bytes. One that is given away leaves this side first.
    fn encode_handle(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        (resource, owned): (u32, bool),
        source: &Source,
    ) {
        let give_away = self.handles.is_stub() && owned;
        let number = code.take_i32();
        push(code, source, 0, Flat::I32, 4);
        if give_away {
            let give_away = self.index(Key::ExchangeOne(Step::GiveAway, resource));
            code.add().call(give_away);
        }
        code.add().local_set(number);
        sink.need(self, code, 5);
        let place = sink.advance(5);
        let mut add = code.add();
        add.local_get(sink.p).i32_const(4).i32_store8(byte_at(place));
        add.local_get(sink.p).local_get(number);
        add.i32_store(byte_at(place + 1));
        code.give_back(number);
    }
}

/// Puts a part of a value onto the stack: the slot with this number, as a `flat`, or `bytes` of memory. Both
/// words of a list are in memory one after the other, like its slots.
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

/// Puts `bytes` of memory onto the stack as a `flat`.
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
