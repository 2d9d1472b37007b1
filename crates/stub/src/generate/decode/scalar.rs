//! Code that decodes scalars: numbers, characters, flags, handles.

use wasm_encoder::ValType;
use weft_wire::{Malformed, Scalar};

use super::reader::{END, P, Reader};
use super::store;
use crate::generate::code::{Code, Local, byte_at};
use crate::generate::generator::Generator;
use crate::generate::helpers::Helper;
use crate::generate::shape::Flat;

impl Generator {
    pub(super) fn decode_scalar(
        &mut self,
        reader: &mut Reader,
        scalar: Scalar,
        run: u32,
        place: (Local, u32),
    ) {
        match scalar {
            Scalar::U8 | Scalar::S8 | Scalar::F32 | Scalar::F64 => {
                decode_copy(reader, scalar, run, place);
            }
            Scalar::Bool => decode_bool(reader, run, place),
            Scalar::Char => self.decode_char(reader, run, place),
            integer => self.decode_number(reader, Integer::of(integer), run, place),
        }
    }

    fn decode_number(
        &mut self,
        reader: &mut Reader,
        integer: Integer,
        run: u32,
        (address, offset): (Local, u32),
    ) {
        reader.require(1, run);
        let number = self.decode_integer(reader, integer);
        reader.code.add().local_get(address).local_get(number);
        store(&mut reader.code, offset, integer.flat(), integer.bits / 8);
        reader.code.release(number);
    }

    /// Decodes an integer that is usually small: the one-byte form inline, with one byte known to
    /// be left, and longer forms through a helper.
    pub(super) fn decode_integer(&mut self, reader: &mut Reader, integer: Integer) -> Local {
        let number = reader.code.local(ValType::from(integer.flat()));
        let byte = reader.code.local_i32();
        let place = reader.advance(0);
        let mut add = reader.code.add();
        add.local_get(P).i32_load8_u(byte_at(place));
        add.local_tee(byte).i32_const(0x80).i32_lt_u();
        reader.code.if_();
        integer.put_byte(&mut reader.code, byte);
        let mut add = reader.code.add();
        add.local_set(number).local_get(P);
        add.i32_const(place.cast_signed() + 1);
        add.i32_add().local_set(P);
        reader.code.else_();
        let read = self.helper(integer.helper());
        let wide = reader.code.local(ValType::I64);
        let mut add = reader.code.add();
        add.local_get(P).i32_const(place.cast_signed()).i32_add();
        add.local_get(END).i32_const(integer.bits.cast_signed());
        add.call(read).local_set(wide).local_tee(P).i32_eqz();
        reader.code.branch_if(reader.failed);
        let mut add = reader.code.add();
        add.local_get(wide);
        if integer.flat() == Flat::I32 {
            add.i32_wrap_i64();
        }
        add.local_set(number);
        reader.code.end();
        reader.pending = 0;
        reader.available = 0;
        reader.code.release(wide);
        reader.code.release(byte);
        number
    }

    fn decode_char(&mut self, reader: &mut Reader, run: u32, (address, offset): (Local, u32)) {
        reader.require(1, run);
        reader.flush();
        let read = self.helper(Helper::ReadChar);
        let value = reader.code.local_i32();
        let mut add = reader.code.add();
        add.local_get(P).local_get(END).call(read).local_set(value);
        reader.continue_at();
        reader.code.add().local_get(address).local_get(value);
        store(&mut reader.code, offset, Flat::I32, 4);
        reader.code.release(value);
    }

    /// Stores the wire's handle number in memory. The conversion to a handle follows once the whole
    /// value is decoded. A skeleton checks at once that the handle exists.
    pub(super) fn decode_handle(
        &mut self,
        reader: &mut Reader,
        (resource, owned): (u32, bool),
        run: u32,
        (address, offset): (Local, u32),
    ) {
        reader.require(5, run);
        let place = reader.advance(5);
        let number = reader.code.local_i32();
        let mut add = reader.code.add();
        add.local_get(P).i32_load8_u(byte_at(place));
        add.i32_const(4).i32_ne();
        reader.code.fail_if(Malformed::Handle);
        let mut add = reader.code.add();
        add.local_get(P).i32_load(byte_at(place + 1));
        add.local_set(number);
        if !self.handles.is_stub() {
            let check = self.helper(Helper::CheckHandle);
            let mut add = reader.code.add();
            add.local_get(number).i32_const(resource.cast_signed());
            add.i32_const(i32::from(owned)).call(check).i32_eqz();
            reader.code.fail_if(Malformed::UnknownHandle);
        }
        reader.code.add().local_get(address).local_get(number);
        store(&mut reader.code, offset, Flat::I32, 4);
        reader.code.release(number);
    }
}

/// Copies a value with the same bytes in memory and on the wire.
fn decode_copy(reader: &mut Reader, scalar: Scalar, run: u32, (address, offset): (Local, u32)) {
    let (flat, bytes) = (Flat::of(scalar), scalar.bytes());
    reader.require(bytes, run);
    let place = byte_at(reader.advance(bytes));
    let mut add = reader.code.add();
    add.local_get(address).local_get(P);
    match flat {
        Flat::I32 => add.i32_load8_u(place),
        Flat::F32 => add.f32_load(place),
        _ => add.f64_load(place),
    };
    store(&mut reader.code, offset, flat, bytes);
}

fn decode_bool(reader: &mut Reader, run: u32, (address, offset): (Local, u32)) {
    reader.require(1, run);
    let place = byte_at(reader.advance(1));
    let byte = reader.code.local_i32();
    let mut add = reader.code.add();
    add.local_get(P).i32_load8_u(place);
    add.local_tee(byte).i32_const(1).i32_gt_u();
    reader.code.fail_if(Malformed::Bool);
    reader.code.add().local_get(address).local_get(byte);
    store(&mut reader.code, offset, Flat::I32, 1);
    reader.code.release(byte);
}

pub(super) fn decode_flags(
    reader: &mut Reader,
    count: u32,
    run: u32,
    (address, offset): (Local, u32),
) {
    let wire = count.div_ceil(8);
    reader.require(wire, run);
    let place = reader.advance(wire);
    let bits = reader.code.local_i32();
    load_bytes(&mut reader.code, place, wire);
    reader.code.add().local_set(bits);
    if !count.is_multiple_of(8) {
        let mut add = reader.code.add();
        add.local_get(bits).i32_const(count.cast_signed());
        add.i32_shr_u();
        reader.code.fail_if(Malformed::Flags);
    }
    reader.code.add().local_get(address).local_get(bits);
    store(
        &mut reader.code,
        offset,
        Flat::I32,
        wire.next_power_of_two(),
    );
    reader.code.release(bits);
}

/// Pushes 1 to 4 of the next bytes onto the stack as one number.
fn load_bytes(code: &mut Code, place: u32, bytes: u32) {
    match bytes {
        1 | 2 => load_unaligned(code, place, bytes),
        3 => {
            load_unaligned(code, place, 2);
            load_unaligned(code, place + 2, 1);
            code.add().i32_const(16).i32_shl().i32_or();
        }
        _ => load_unaligned(code, place, 4),
    }
}

fn load_unaligned(code: &mut Code, place: u32, bytes: u32) {
    let mut add = code.add();
    add.local_get(P);
    match bytes {
        1 => add.i32_load8_u(byte_at(place)),
        2 => add.i32_load16_u(byte_at(place)),
        _ => add.i32_load(byte_at(place)),
    };
}

/// An integer type, encoded in LEB128.
#[derive(Debug, Clone, Copy)]
pub(super) struct Integer {
    bits: u32,
    signed: bool,
}

impl Integer {
    pub(super) fn of(scalar: Scalar) -> Self {
        Self {
            bits: 8 * scalar.bytes(),
            signed: scalar.is_signed(),
        }
    }

    fn flat(self) -> Flat {
        if self.bits == 64 {
            Flat::I64
        } else {
            Flat::I32
        }
    }

    fn helper(self) -> Helper {
        if self.signed {
            Helper::ReadSigned
        } else {
            Helper::ReadUnsigned
        }
    }

    /// Pushes the value of a one-byte encoding onto the stack.
    fn put_byte(self, code: &mut Code, byte: Local) {
        let mut add = code.add();
        add.local_get(byte);
        if self.signed {
            // The sign is bit 6.
            add.i32_const(25).i32_shl().i32_const(25).i32_shr_s();
        }
        match (self.flat(), self.signed) {
            (Flat::I64, true) => add.i64_extend_i32_s(),
            (Flat::I64, false) => add.i64_extend_i32_u(),
            _ => &mut add,
        };
    }
}
