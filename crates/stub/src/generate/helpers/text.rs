//! Characters and strings, in UTF-8 both on the wire and in memory.

use wasm_encoder::Function;
use weft_wire::Malformed;

use super::Helper;
use crate::generate::code::{Code, at, byte_at, global};
use crate::generate::generator::Generator;

/// The high bits of eight bytes, which ASCII does not use.
const BEYOND_ASCII: i64 = 0x8080_8080_8080_8080_u64.cast_signed();

/// Writes a character. Its bytes are known to fit.
pub(super) fn write_char() -> Function {
    let (p, char) = (0, 1);
    let mut code = Code::new(2);
    // The first code point that takes more bytes, and the prefix of the first byte.
    for (limit, bytes, mark) in [(0x80, 1, 0), (0x800, 2, 0xc0), (0x1_0000, 3, 0xe0)] {
        code.add().local_get(char).i32_const(limit).i32_lt_u();
        code.if_();
        write_bytes_of_char(&mut code, (p, char), bytes, mark);
        let mut add = code.add();
        add.local_get(p).i32_const(bytes).i32_add().return_();
        code.end();
    }
    write_bytes_of_char(&mut code, (p, char), 4, 0xf0);
    code.add().local_get(p).i32_const(4).i32_add();
    code.finish()
}

fn write_bytes_of_char(code: &mut Code, (p, char): (u32, u32), bytes: i32, mark: i32) {
    for (index, offset) in (0..bytes).zip(0..) {
        let shift = 6 * (bytes - 1 - index);
        let mut add = code.add();
        add.local_get(p).local_get(char);
        add.i32_const(shift).i32_shr_u();
        if index == 0 {
            add.i32_const(mark).i32_or();
        } else {
            add.i32_const(0x3f).i32_and().i32_const(0x80).i32_or();
        }
        add.i32_store8(byte_at(offset));
    }
}

/// Reads a character. One byte is known to be left.
pub(super) fn read_char() -> Function {
    let (p, end) = (0, 1);
    let mut code = Code::new(2);
    let (byte, value, bytes) = (code.local_i32(), code.local_i32(), code.local_i32());
    let mut add = code.add();
    add.local_get(p).i32_load8_u(byte_at(0));
    add.local_tee(byte).i32_const(0x80).i32_lt_u();
    code.if_();
    let mut add = code.add();
    add.local_get(p).i32_const(1).i32_add();
    add.local_get(byte).return_();
    code.end();
    // Characters begin with 0xc2 to 0xf4: bytes below are continuations or overlong, bytes above
    // too large.
    let mut add = code.add();
    add.local_get(byte).i32_const(0xc2).i32_sub();
    add.i32_const(0xf4 - 0xc2).i32_gt_u();
    fail_if(&mut code, Malformed::Char);
    let mut add = code.add();
    add.i32_const(2).local_get(byte).i32_const(0xe0);
    add.i32_ge_u().i32_add();
    add.local_get(byte).i32_const(0xf0);
    add.i32_ge_u().i32_add().local_tee(bytes);
    add.local_get(end).local_get(p).i32_sub().i32_gt_u();
    fail_if(&mut code, Malformed::Truncated);
    // The first byte has 7 - bytes payload bits.
    let mut add = code.add();
    add.local_get(byte).i32_const(0x7f).local_get(bytes);
    add.i32_shr_u().i32_and().local_set(value);
    for index in 1..4_u32 {
        if index > 1 {
            let needed = index.cast_signed();
            code.add().local_get(bytes).i32_const(needed).i32_gt_u();
            code.if_();
        }
        let mut add = code.add();
        add.local_get(p).i32_load8_u(byte_at(index));
        add.i32_const(0x80).i32_xor().local_tee(byte);
        add.i32_const(0x3f).i32_gt_u();
        fail_if(&mut code, Malformed::Char);
        let mut add = code.add();
        add.local_get(value).i32_const(6).i32_shl();
        add.local_get(byte).i32_or().local_set(value);
    }
    code.end();
    code.end();
    check_scalar(&mut code, (value, bytes));
    let mut add = code.add();
    add.local_get(p).local_get(bytes).i32_add();
    add.local_get(value);
    code.finish()
}

/// Rejects overlong forms, surrogates, and numbers beyond Unicode.
fn check_scalar(code: &mut Code, (value, bytes): (u32, u32)) {
    let mut add = code.add();
    add.local_get(bytes).i32_const(3).i32_eq();
    add.local_get(value).i32_const(0x800).i32_lt_u();
    add.local_get(value).i32_const(0xd800).i32_sub();
    add.i32_const(0x800).i32_lt_u().i32_or().i32_and();
    fail_if(code, Malformed::Char);
    let mut add = code.add();
    add.local_get(bytes).i32_const(4).i32_eq();
    add.local_get(value).i32_const(0x1_0000).i32_sub();
    add.i32_const(0x10_0000).i32_ge_u().i32_and();
    fail_if(code, Malformed::Char);
}

/// Returns 0, 0 with an error if the condition on the stack holds.
fn fail_if(code: &mut Code, error: Malformed) {
    code.if_();
    let mut add = code.add();
    add.i32_const(error.number().cast_signed())
        .global_set(global::ERROR);
    add.i32_const(0).i32_const(0).return_();
    code.end();
}

impl Generator {
    /// Checks eight bytes of ASCII at once, and other characters one by one.
    pub(super) fn make_is_text(&mut self) -> Function {
        let (pointer, length) = (0, 1);
        let read = self.helper(Helper::ReadChar);
        let mut code = Code::new(2);
        let (end, left) = (code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.local_get(pointer).local_get(length).i32_add();
        add.local_set(end);
        let next = code.loop_();
        let mut add = code.add();
        add.local_get(end).local_get(pointer).i32_sub();
        add.local_tee(left).i32_eqz();
        code.if_();
        code.add().i32_const(1).return_();
        code.end();
        code.add().local_get(left).i32_const(8).i32_ge_u();
        code.if_();
        let mut add = code.add();
        add.local_get(pointer).i64_load(byte_at(0));
        add.i64_const(BEYOND_ASCII).i64_and().i64_eqz();
        code.if_();
        let mut add = code.add();
        add.local_get(pointer).i32_const(8).i32_add();
        add.local_set(pointer);
        code.branch(next);
        code.end();
        code.else_();
        // The last bytes, without the slack after them that is also loaded.
        let mut add = code.add();
        add.local_get(pointer).i64_load(byte_at(0));
        add.i64_const(64).local_get(left).i64_extend_i32_u();
        add.i64_const(3).i64_shl().i64_sub().i64_shl();
        add.i64_const(BEYOND_ASCII).i64_and().i64_eqz();
        code.if_();
        code.add().i32_const(1).return_();
        code.end();
        code.end();
        let mut add = code.add();
        add.local_get(pointer).local_get(end).call(read);
        add.drop().local_tee(pointer);
        code.branch_if(next);
        code.end();
        code.add().i32_const(0);
        code.finish()
    }

    pub(super) fn make_read_string(&mut self) -> Function {
        let (p, end, address) = (0, 1, 2);
        let is_text = self.helper(Helper::IsText);
        let read = self.helper(Helper::ReadUnsigned);
        let mut code = Code::new(3);
        let length = code.local_i32();
        let wide = code.local(wasm_encoder::ValType::I64);
        code.add().local_get(p).local_get(end).i32_eq();
        code.fail_if(Malformed::Truncated);
        let mut add = code.add();
        add.local_get(p).i32_load8_u(byte_at(0));
        add.local_tee(length).i32_const(0x80).i32_lt_u();
        code.if_();
        let mut add = code.add();
        add.local_get(p).i32_const(1).i32_add().local_set(p);
        code.else_();
        let mut add = code.add();
        add.local_get(p).local_get(end).i32_const(32).call(read);
        add.local_set(wide).local_tee(p).i32_eqz();
        code.if_();
        code.add().i32_const(0).return_();
        code.end();
        let mut add = code.add();
        add.local_get(wide).i32_wrap_i64().local_set(length);
        code.end();
        let mut add = code.add();
        add.local_get(end).local_get(p).i32_sub();
        add.local_get(length).i32_lt_u();
        code.fail_if(Malformed::Truncated);
        let mut add = code.add();
        add.local_get(p).local_get(length).call(is_text).i32_eqz();
        code.fail_if(Malformed::Utf8);
        let mut add = code.add();
        add.local_get(address).local_get(p).i32_store(at(0, 4));
        add.local_get(address).local_get(length);
        add.i32_store(at(4, 4));
        add.local_get(p).local_get(length).i32_add();
        code.finish()
    }
}
