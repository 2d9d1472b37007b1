//! Code that encodes scalars: numbers, characters, flags, handles.

use wasm_encoder::ValType;
use weft_wire::Scalar;

use super::{Sink, Source, push};
use crate::generate::code::{Code, Local, byte_at};
use crate::generate::generator::{Generator, Key};
use crate::generate::handles::HandleConversion;
use crate::generate::helpers::Helper;
use crate::generate::shape::Flat;

impl Generator {
    pub(super) fn encode_scalar(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        scalar: Scalar,
        source: &Source,
    ) {
        let (flat, bytes) = (Flat::of(scalar), scalar.bytes());
        match scalar {
            Scalar::Bool | Scalar::U8 | Scalar::S8 => {
                self.encode_fixed(code, sink, 1, |code| push(code, source, 0, flat, 1));
            }
            Scalar::F32 | Scalar::F64 => self.encode_float(code, sink, flat, source),
            Scalar::U16 | Scalar::U32 | Scalar::U64 => {
                self.encode_unsigned(code, sink, flat, |code| push(code, source, 0, flat, bytes));
            }
            Scalar::S16 | Scalar::S32 | Scalar::S64 => {
                self.encode_signed(code, sink, flat, |code| {
                    push(code, source, 0, flat, bytes);
                    if scalar == Scalar::S16 {
                        code.add().i32_extend16_s();
                    }
                });
            }
            Scalar::Char => self.encode_char(code, sink, source),
        }
    }

    pub(super) fn encode_flags(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        count: u32,
        source: &Source,
    ) {
        let bytes = count.div_ceil(8);
        self.encode_fixed(code, sink, bytes, |code| {
            push(code, source, 0, Flat::I32, bytes.next_power_of_two());
        });
    }

    /// Encodes the low 1 to 4 bytes of an `i32`.
    fn encode_fixed(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        bytes: u32,
        value: impl FnOnce(&mut Code),
    ) {
        // For three bytes a fourth is written, and overwritten later.
        sink.reserve(self, code, bytes.next_power_of_two());
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
        sink.reserve(self, code, bytes);
        let place = byte_at(sink.advance(bytes));
        code.add().local_get(sink.p);
        push(code, source, 0, flat, bytes);
        match flat {
            Flat::F32 => code.add().f32_store(place),
            _ => code.add().f64_store(place),
        };
    }

    /// Encodes an integer that is usually small: the one-byte form inline, longer forms through a
    /// helper.
    pub(super) fn encode_unsigned(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        flat: Flat,
        value: impl FnOnce(&mut Code),
    ) {
        let number = code.local(ValType::from(flat));
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
        let number = code.local(ValType::from(flat));
        value(code);
        let mut add = code.add();
        add.local_tee(number);
        match flat {
            Flat::I64 => add.i64_const(0x40).i64_add().i64_const(0x80).i64_lt_u(),
            _ => add.i32_const(0x40).i32_add().i32_const(0x80).i32_lt_u(),
        };
        self.encode_integer(code, sink, (number, flat), Helper::WriteSigned);
    }

    /// Encodes an integer. A flag for the one-byte form is on the stack.
    fn encode_integer(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        (number, flat): (Local, Flat),
        slow: Helper,
    ) {
        const MOST: u32 = 10;
        let is_small = code.local_i32();
        code.add().local_set(is_small);
        sink.reserve(self, code, MOST);
        let place = sink.advance(0);
        code.add().local_get(is_small);
        code.if_();
        let mut add = code.add();
        add.local_get(sink.p).local_get(number);
        match flat {
            Flat::I64 => add.i32_wrap_i64(),
            _ => &mut add,
        };
        add.i32_const(0x7f).i32_and().i32_store8(byte_at(place));
        add.local_get(sink.p).i32_const(place.cast_signed() + 1);
        add.i32_add().local_set(sink.p);
        code.else_();
        let slow_index = self.helper(slow);
        let mut add = code.add();
        add.local_get(sink.p)
            .i32_const(place.cast_signed())
            .i32_add();
        add.local_get(number);
        match (flat, slow) {
            (Flat::I64, _) => &mut add,
            (_, Helper::WriteSigned) => add.i64_extend_i32_s(),
            _ => add.i64_extend_i32_u(),
        };
        add.call(slow_index).local_set(sink.p);
        code.end();
        sink.pending = 0;
        code.release(is_small);
        code.release(number);
    }

    fn encode_char(&mut self, code: &mut Code, sink: &mut Sink, source: &Source) {
        const MOST: u32 = 4;
        sink.reserve(self, code, MOST);
        sink.flush(code);
        let write = self.helper(Helper::WriteChar);
        code.add().local_get(sink.p);
        push(code, source, 0, Flat::I32, 4);
        code.add().call(write).local_set(sink.p);
    }

    /// Encodes a handle as a list of four bytes. A stub's owned handle is dropped first, as its
    /// resource moves to the other side.
    pub(super) fn encode_handle(
        &mut self,
        code: &mut Code,
        sink: &mut Sink,
        (resource, owned): (u32, bool),
        source: &Source,
    ) {
        let give_away = self.handles.is_stub() && owned;
        let number = code.local_i32();
        push(code, source, 0, Flat::I32, 4);
        if give_away {
            let give_away = self.index(Key::ConvertHandle(HandleConversion::Transfer, resource));
            code.add().call(give_away);
        }
        code.add().local_set(number);
        sink.reserve(self, code, 5);
        let place = sink.advance(5);
        let mut add = code.add();
        add.local_get(sink.p)
            .i32_const(4)
            .i32_store8(byte_at(place));
        add.local_get(sink.p).local_get(number);
        add.i32_store(byte_at(place + 1));
        code.release(number);
    }
}
