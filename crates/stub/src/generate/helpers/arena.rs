//! The arena: memory that is allocated from the bottom up and freed as a whole after a call.

use wasm_encoder::{Function, ValType};
use weft_wire::Malformed;

use super::{Helper, RESERVED_BYTES};
use crate::generate::code::{Code, at, byte_at, global};
use crate::generate::generator::Generator;
use crate::generate::memory_layout::SLACK;

/// Bytes of a page, as a power of two.
const PAGE: i64 = 16;

/// Grows the memory to a size, or to more if possible, so that the next growth is not soon.
pub(super) fn grow() -> Function {
    let bytes = 0;
    let mut code = Code::new(1);
    let (pages, now) = (code.local_i32(), code.local_i32());
    let mut add = code.add();
    add.local_get(bytes).global_get(global::END);
    add.i64_extend_i32_u().i64_sub();
    add.i64_const((1 << PAGE) - 1).i64_add();
    add.i64_const(PAGE).i64_shr_u();
    add.i32_wrap_i64().local_set(pages);
    // By at least a quarter.
    add.memory_size(0).i32_const(2).i32_shr_u().local_tee(now);
    add.local_get(pages).local_get(now).local_get(pages);
    add.i32_gt_u().select();
    add.memory_grow(0).i32_const(-1).i32_eq();
    code.if_();
    let mut add = code.add();
    add.local_get(pages).memory_grow(0).i32_const(-1).i32_eq();
    code.if_();
    code.add().i32_const(0).return_();
    code.end();
    code.end();
    let mut add = code.add();
    add.memory_size(0).i32_const(16).i32_shl();
    add.global_set(global::END).i32_const(1);
    code.finish()
}

impl Generator {
    pub(super) fn make_allocate(&mut self) -> Function {
        let (size, align) = (0, 1);
        let grow = self.helper(Helper::Grow);
        let mut code = Code::new(2);
        let start = code.local_i32();
        let needed = code.local(ValType::I64);
        let mut add = code.add();
        add.global_get(global::TOP).local_get(align).i32_add();
        add.i32_const(1).i32_sub();
        add.i32_const(0).local_get(align).i32_sub();
        add.i32_and().local_tee(start).i64_extend_i32_u();
        add.local_get(size).i64_extend_i32_u().i64_add();
        add.i64_const(i64::from(SLACK)).i64_add().local_tee(needed);
        add.global_get(global::END).i64_extend_i32_u().i64_gt_u();
        code.if_();
        code.add().local_get(needed).call(grow).i32_eqz();
        code.if_();
        code.add().i32_const(0).return_();
        code.end();
        code.end();
        let mut add = code.add();
        add.local_get(start).local_get(size).i32_add();
        add.global_set(global::TOP).local_get(start);
        code.finish()
    }

    pub(super) fn make_reserve(&mut self) -> Function {
        let (p, bytes) = (0, 1);
        let grow = self.helper(Helper::Grow);
        let mut code = Code::new(2);
        let mut add = code.add();
        add.local_get(p).i64_extend_i32_u();
        add.local_get(bytes).i64_extend_i32_u().i64_add();
        add.call(grow).i32_eqz();
        code.if_();
        code.add().unreachable();
        code.end();
        code.finish()
    }

    /// Generates the `realloc` of adapters. They allocate memory for arguments, and for strings
    /// during transcoding: those grow in place or move, and shrink.
    pub(super) fn make_reallocate(&mut self) -> Function {
        let (old, old_size, align, new_size) = (0, 1, 2, 3);
        let allocate = self.helper(Helper::Allocate);
        let mut code = Code::new(4);
        let new = code.local_i32();
        if self.handles.call_finished().is_some() {
            let begin = self.helper(Helper::BeginCall);
            code.add().call(begin);
        }
        code.add().local_get(old_size);
        code.if_();
        let mut add = code.add();
        add.local_get(new_size).local_get(old_size).i32_le_u();
        code.if_();
        code.add().local_get(old).return_();
        code.end();
        // The last allocation is extended in place.
        let mut add = code.add();
        add.local_get(old).local_get(old_size).i32_add();
        add.global_get(global::TOP).i32_eq();
        code.if_();
        code.add().local_get(old).global_set(global::TOP);
        code.end();
        code.end();
        let mut add = code.add();
        add.local_get(new_size).local_get(align).call(allocate);
        add.local_tee(new).i32_eqz();
        code.if_();
        code.add().unreachable();
        code.end();
        let mut add = code.add();
        add.local_get(new).local_get(old).i32_ne();
        add.local_get(old_size).i32_const(0).i32_ne().i32_and();
        code.if_();
        let mut add = code.add();
        add.local_get(new).local_get(old).local_get(old_size);
        add.memory_copy(0, 0);
        code.end();
        code.add().local_get(new);
        code.finish()
    }

    pub(super) fn make_post_return(&mut self) -> Function {
        let reset = self.helper(Helper::Reset);
        let mut code = Code::new(1);
        code.add().call(reset);
        code.finish()
    }

    /// A skeleton exports no `post-return`, as that would cost the host another call. So the result
    /// of a call stays in memory until the next call, or the allocation of its arguments.
    pub(super) fn make_begin_call(&mut self) -> Function {
        let mut code = Code::new(0);
        if let Some(call_finished) = self.handles.call_finished() {
            let reset = self.helper(Helper::Reset);
            code.add().global_get(call_finished);
            code.if_();
            code.add()
                .call(reset)
                .i32_const(0)
                .global_set(call_finished);
            code.end();
        }
        code.finish()
    }

    pub(super) fn make_write_bytes(&mut self) -> Function {
        let (p, pointer, length, bytes) = (0, 1, 2, 3);
        let (room, write) = (
            self.helper(Helper::Reserve),
            self.helper(Helper::WriteUnsigned),
        );
        // The length takes at most five bytes.
        let reserved = RESERVED_BYTES.cast_signed() + 5;
        let mut code = Code::new(4);
        let mut add = code.add();
        add.global_get(global::END).local_get(p).i32_sub();
        add.local_get(bytes)
            .i32_const(reserved)
            .i32_add()
            .i32_lt_u();
        code.if_();
        let mut add = code.add();
        add.local_get(p)
            .local_get(bytes)
            .i32_const(reserved)
            .i32_add();
        add.call(room);
        code.end();
        code.add().local_get(length).i32_const(0x80).i32_lt_u();
        code.if_();
        let mut add = code.add();
        add.local_get(p).local_get(length).i32_store8(byte_at(0));
        add.local_get(p).i32_const(1).i32_add().local_set(p);
        code.else_();
        let mut add = code.add();
        add.local_get(p).local_get(length).i64_extend_i32_u();
        add.call(write).local_set(p);
        code.end();
        copy(&mut code, (p, pointer, bytes));
        code.add().local_get(p).local_get(bytes).i32_add();
        code.finish()
    }

    pub(super) fn make_read_plain(&mut self) -> Function {
        let (p, end, address, count, size, align) = (0, 1, 2, 3, 4, 5);
        let reserve = self.helper(Helper::ReserveList);
        let mut code = Code::new(6);
        let (bytes, pointer) = (code.local(ValType::I64), code.local_i32());
        let mut add = code.add();
        add.local_get(count).i64_extend_i32_u();
        add.local_get(size).i64_extend_i32_u().i64_mul();
        add.local_tee(bytes).local_get(end).local_get(p);
        add.i32_sub().i64_extend_i32_u().i64_gt_u();
        code.fail_if(Malformed::Truncated);
        // Aligned bytes are used in place.
        let mut add = code.add();
        add.local_get(p).local_get(align).i32_const(1).i32_sub();
        add.i32_and();
        code.if_();
        let mut add = code.add();
        add.local_get(address).local_get(count).local_get(size);
        add.local_get(align).call(reserve);
        add.local_tee(pointer).i32_eqz();
        code.if_();
        code.add().i32_const(0).return_();
        code.end();
        let mut add = code.add();
        add.local_get(pointer).local_get(p);
        add.local_get(bytes).i32_wrap_i64().memory_copy(0, 0);
        code.else_();
        let mut add = code.add();
        add.local_get(address).local_get(p).i32_store(at(0, 4));
        add.local_get(address).local_get(count).i32_store(at(4, 4));
        code.end();
        code.add().local_get(p).local_get(bytes);
        code.add().i32_wrap_i64().i32_add();
        code.finish()
    }

    pub(super) fn make_reserve_list(&mut self) -> Function {
        let (address, count, size, align) = (0, 1, 2, 3);
        let allocate = self.helper(Helper::Allocate);
        let mut code = Code::new(4);
        let (bytes, pointer) = (code.local(ValType::I64), code.local_i32());
        let mut add = code.add();
        add.local_get(count).i64_extend_i32_u();
        add.local_get(size).i64_extend_i32_u().i64_mul();
        add.local_tee(bytes).i64_const(32).i64_shr_u();
        add.i64_const(0).i64_ne();
        code.fail_if(Malformed::Bytes);
        let mut add = code.add();
        add.local_get(bytes).i32_wrap_i64();
        add.local_get(align).call(allocate);
        add.local_tee(pointer).i32_eqz();
        code.fail_if(Malformed::Bytes);
        let mut add = code.add();
        add.local_get(address).local_get(pointer);
        add.i32_store(at(0, 4));
        add.local_get(address).local_get(count).i32_store(at(4, 4));
        add.local_get(pointer);
        code.finish()
    }
}

/// Copies `bytes` from `pointer` to `p`. Up to 16 bytes are copied as two words, faster than
/// `memory.copy`: they fit, and the bytes read beyond the end are not used.
fn copy(code: &mut Code, (p, pointer, bytes): (u32, u32, u32)) {
    let mut add = code.add();
    add.local_get(bytes).i32_const(1).i32_sub();
    add.i32_const(SLACK).i32_lt_u();
    code.if_();
    for word in [0, 8] {
        let mut add = code.add();
        add.local_get(p).local_get(pointer);
        add.i64_load(byte_at(word)).i64_store(byte_at(word));
    }
    code.else_();
    code.add().local_get(bytes);
    code.if_();
    let mut add = code.add();
    add.local_get(p).local_get(pointer).local_get(bytes);
    add.memory_copy(0, 0);
    code.end();
    code.end();
}
