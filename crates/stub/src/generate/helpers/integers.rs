//! Integers in LEB128 that take more than one byte.

use wasm_encoder::{BlockType, Function, ValType};
use weft_wire::Malformed;

use crate::generate::code::{Code, byte_at, global};

pub(super) fn write_unsigned() -> Function {
    let (p, value) = (0, 1);
    let mut code = Code::new(2);
    let done = code.block();
    let next = code.loop_();
    let mut add = code.add();
    add.local_get(value).i64_const(0x80).i64_lt_u();
    code.branch_if(done);
    write_marked(&mut code);
    let mut add = code.add();
    add.local_get(value)
        .i64_const(7)
        .i64_shr_u()
        .local_set(value);
    code.branch(next);
    code.end();
    code.end();
    finish_write(code, (p, value))
}

pub(super) fn write_signed() -> Function {
    let (p, value) = (0, 1);
    let mut code = Code::new(2);
    let done = code.block();
    let next = code.loop_();
    let mut add = code.add();
    add.local_get(value).i64_const(0x40).i64_add();
    add.i64_const(0x80).i64_lt_u();
    code.branch_if(done);
    write_marked(&mut code);
    let mut add = code.add();
    add.local_get(value)
        .i64_const(7)
        .i64_shr_s()
        .local_set(value);
    code.branch(next);
    code.end();
    code.end();
    finish_write(code, (p, value))
}

/// Writes the lowest seven bits, with the continuation bit.
fn write_marked(code: &mut Code) {
    let (p, value) = (0, 1);
    let mut add = code.add();
    add.local_get(p).local_get(value).i32_wrap_i64();
    add.i32_const(0x80).i32_or().i32_store8(byte_at(0));
    add.local_get(p).i32_const(1).i32_add().local_set(p);
}

/// Writes the last seven bits.
fn finish_write(mut code: Code, (p, value): (u32, u32)) -> Function {
    let mut add = code.add();
    add.local_get(p).local_get(value).i32_wrap_i64();
    add.i32_const(0x7f).i32_and().i32_store8(byte_at(0));
    add.local_get(p).i32_const(1).i32_add();
    code.finish()
}

/// The parameters and variables that both readers have.
struct IntegerReader {
    code: Code,
    value: u32,
    /// The bits of the current byte, without the continuation bit.
    payload: u32,
    byte: u32,
    shift: u32,
}

const P: u32 = 0;
const END: u32 = 1;
const BITS: u32 = 2;

pub(super) fn read_unsigned() -> Function {
    let mut reader = IntegerReader::begin();
    let (value, payload, shift) = (reader.value, reader.payload, reader.shift);
    let code = &mut reader.code;
    let next = code.loop_();
    reader.take_byte();
    let code = &mut reader.code;
    let mut add = code.add();
    add.local_get(reader.byte).i32_const(0x7f).i32_and();
    add.i64_extend_i32_u().local_set(payload);
    // The payload must fit the remaining bits of the type.
    add.local_get(BITS).local_get(shift).i32_sub();
    add.i32_const(7).i32_lt_u();
    add.if_(BlockType::Result(ValType::I32));
    add.local_get(payload).local_get(BITS).local_get(shift);
    add.i32_sub().i64_extend_i32_u().i64_shr_u();
    add.i64_const(0).i64_ne();
    add.else_().i32_const(0).end();
    fail_if(code, Malformed::Integer);
    reader.add_payload();
    let code = &mut reader.code;
    code.add().local_get(reader.byte).i32_const(0x80).i32_lt_u();
    code.if_();
    code.add().local_get(P).local_get(value).return_();
    code.end();
    reader.next_byte();
    reader.code.branch(next);
    reader.code.end();
    reader.code.add().unreachable();
    reader.code.finish()
}

pub(super) fn read_signed() -> Function {
    let mut reader = IntegerReader::begin();
    let (value, payload, shift) = (reader.value, reader.payload, reader.shift);
    let code = &mut reader.code;
    let next = code.loop_();
    reader.take_byte();
    let code = &mut reader.code;
    let mut add = code.add();
    // The seven bits, sign-extended.
    add.local_get(reader.byte).i64_extend_i32_u();
    add.i64_const(57).i64_shl().i64_const(57).i64_shr_s();
    add.local_set(payload);
    // Bits beyond the type must repeat the sign.
    add.local_get(BITS).local_get(shift).i32_sub();
    add.i32_const(7).i32_lt_u();
    add.if_(BlockType::Result(ValType::I32));
    add.local_get(payload).local_get(BITS).local_get(shift);
    add.i32_sub().i32_const(1).i32_sub().i64_extend_i32_u();
    add.i64_shr_s().i64_const(1).i64_add();
    add.i64_const(2).i64_ge_u();
    add.else_().i32_const(0).end();
    fail_if(code, Malformed::Integer);
    let mut add = code.add();
    add.local_get(reader.byte).i32_const(0x80).i32_lt_u();
    code.if_();
    // The last byte extends its sign to all higher bits.
    let mut add = code.add();
    add.local_get(P).local_get(value).local_get(payload);
    add.local_get(shift).i64_extend_i32_u();
    add.i64_shl().i64_or().return_();
    code.end();
    let mut add = code.add();
    add.local_get(payload).i64_const(0x7f).i64_and();
    add.local_set(payload);
    reader.add_payload();
    reader.next_byte();
    reader.code.branch(next);
    reader.code.end();
    reader.code.add().unreachable();
    reader.code.finish()
}

impl IntegerReader {
    fn begin() -> Self {
        let mut code = Code::new(3);
        let (value, payload) = (code.local(ValType::I64), code.local(ValType::I64));
        let (byte, shift) = (code.local_i32(), code.local_i32());
        Self {
            code,
            value,
            payload,
            byte,
            shift,
        }
    }

    fn take_byte(&mut self) {
        let code = &mut self.code;
        code.add().local_get(P).local_get(END).i32_eq();
        fail_if(code, Malformed::Truncated);
        let mut add = code.add();
        add.local_get(P)
            .i32_load8_u(byte_at(0))
            .local_set(self.byte);
        add.local_get(P).i32_const(1).i32_add().local_set(P);
    }

    fn add_payload(&mut self) {
        let mut add = self.code.add();
        add.local_get(self.value).local_get(self.payload);
        add.local_get(self.shift).i64_extend_i32_u();
        add.i64_shl().i64_or().local_set(self.value);
    }

    /// Advances to the next byte, if the type has bits left.
    fn next_byte(&mut self) {
        let mut add = self.code.add();
        add.local_get(self.shift).i32_const(7).i32_add();
        add.local_tee(self.shift).local_get(BITS).i32_ge_u();
        fail_if(&mut self.code, Malformed::Integer);
    }
}

/// Returns 0, 0 with an error if the condition on the stack holds.
fn fail_if(code: &mut Code, error: Malformed) {
    code.if_();
    let mut add = code.add();
    add.i32_const(error.number().cast_signed())
        .global_set(global::ERROR);
    add.i32_const(0).i64_const(0).return_();
    code.end();
}
