//! The table in which a skeleton stores the exporter's resources while the other side has handles
//! to them.
//!
//! It starts at the start of the arena. If it must grow during a call, it moves to the free end of
//! the arena, and back when the call is over and the arena is empty.
//!
//! A handle consists of the index and the generation of an entry. A freed entry advances to the
//! next generation, and is retired once it has used all of them. So no handle is assigned twice,
//! and a handle that is dropped twice or made up is recognized.

use wasm_encoder::Function;

use super::Helper;
use crate::generate::code::{Code, Local, at, global};
use crate::generate::generator::Generator;
use crate::generate::handles::Table;
use crate::generate::memory_layout::ARENA_START;

/// Number of index bits in a handle. It limits the number of live resources.
const INDEX_BITS: i32 = 20;

/// Mask of the index bits, and the largest index.
const INDEX_MASK: i32 = (1 << INDEX_BITS) - 1;

/// The largest generation. A generation is never 0, so no handle is a small number.
pub(crate) const GENERATION_MASK: i32 = (1 << (32 - INDEX_BITS)) - 1;

/// Bytes of an entry: the exporter's handle, or the next unused entry; its generation; its resource
/// plus 1, or 0 if unused; the stamp of the call that last used it, odd if that call took it.
const ENTRY: i32 = 16;
const GENERATION: u32 = 4;
const RESOURCE: u32 = 8;
const STAMP: u32 = 12;

/// Initial number of entries.
const FIRST_CAPACITY: i32 = 16;

impl Generator {
    /// Empties the arena after a call, and moves the table back to its start.
    pub(super) fn make_reset(&mut self) -> Function {
        let mut code = Code::new(0);
        if let Some(table) = self.handles.table() {
            let mut add = code.add();
            add.global_get(table.start).i32_const(ARENA_START).i32_ne();
            code.if_();
            let mut add = code.add();
            add.i32_const(ARENA_START).global_get(table.start);
            add.global_get(table.length).i32_const(ENTRY).i32_mul();
            add.memory_copy(0, 0);
            add.i32_const(ARENA_START).global_set(table.start);
            code.end();
            let mut add = code.add();
            add.global_get(table.capacity).i32_const(ENTRY).i32_mul();
            add.i32_const(ARENA_START)
                .i32_add()
                .global_set(global::BASE);
        }
        let mut add = code.add();
        add.global_get(global::BASE).global_set(global::TOP);
        code.finish()
    }

    /// Within one call, a resource can be lent any number of times, or given back once.
    pub(super) fn make_check_handle(&mut self) -> Function {
        let (handle, resource, owned) = (0, 1, 2);
        let find = self.helper(Helper::FindEntry);
        let mut code = Code::new(3);
        let Some(table) = self.handles.table() else {
            code.add().i32_const(0);
            return code.finish();
        };
        let (entry, stamp) = (code.local_i32(), code.local_i32());
        code.add().local_get(handle).call(find).local_tee(entry);
        code.add().i32_eqz();
        return_zero(&mut code);
        let mut add = code.add();
        add.local_get(entry).i32_load(at(RESOURCE, 4));
        add.local_get(resource).i32_const(1).i32_add().i32_ne();
        return_zero(&mut code);
        let mut add = code.add();
        add.local_get(entry).i32_load(at(STAMP, 4)).local_tee(stamp);
        add.i32_const(-2).i32_and().global_get(table.stamp).i32_eq();
        add.local_get(stamp).local_get(owned).i32_or();
        add.i32_const(1).i32_and().i32_and();
        return_zero(&mut code);
        let mut add = code.add();
        add.local_get(entry).global_get(table.stamp);
        add.local_get(owned).i32_or().i32_store(at(STAMP, 4));
        add.i32_const(1);
        code.finish()
    }

    pub(super) fn make_find_entry(&mut self) -> Function {
        let handle = 0;
        let mut code = Code::new(1);
        let Some(table) = self.handles.table() else {
            code.add().i32_const(0);
            return code.finish();
        };
        let (index, entry) = (code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.local_get(handle).i32_const(INDEX_MASK).i32_and();
        add.local_tee(index).global_get(table.length).i32_ge_u();
        return_zero(&mut code);
        put_entry(&mut code, table, index);
        let mut add = code.add();
        add.local_tee(entry).i32_load(at(RESOURCE, 4)).i32_eqz();
        add.local_get(entry).i32_load(at(GENERATION, 4));
        add.local_get(handle).i32_const(INDEX_BITS).i32_shr_u();
        add.i32_ne().i32_or();
        return_zero(&mut code);
        code.add().local_get(entry);
        code.finish()
    }

    /// The handle is known to be valid.
    pub(super) fn make_take_entry(&mut self) -> Function {
        let handle = 0;
        let mut code = Code::new(1);
        let Some(table) = self.handles.table() else {
            code.add().unreachable();
            return code.finish();
        };
        let (index, entry, taken) = (code.local_i32(), code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.local_get(handle).i32_const(INDEX_MASK).i32_and();
        add.local_set(index);
        put_entry(&mut code, table, index);
        let mut add = code.add();
        add.local_tee(entry).i32_load(at(0, 4)).local_set(taken);
        add.local_get(entry).i32_const(0).i32_store(at(RESOURCE, 4));
        // After the last generation comes 1. An entry that returns to its first one is retired.
        let generation = code.local_i32();
        let mut add = code.add();
        add.local_get(entry).i32_load(at(GENERATION, 4));
        add.i32_const(GENERATION_MASK).i32_rem_u();
        add.i32_const(1).i32_add().local_set(generation);
        add.local_get(entry).local_get(generation);
        add.i32_store(at(GENERATION, 4));
        add.local_get(generation).global_get(table.first).i32_ne();
        code.if_();
        let mut add = code.add();
        add.local_get(entry).global_get(table.unused);
        add.i32_store(at(0, 4));
        add.local_get(index).i32_const(1).i32_add();
        add.global_set(table.unused);
        code.end();
        code.add().local_get(taken);
        code.finish()
    }

    pub(super) fn make_add_entry(&mut self) -> Function {
        let (taken, resource) = (0, 1);
        let grow = self.helper(Helper::GrowTable);
        let mut code = Code::new(2);
        let Some(table) = self.handles.table() else {
            code.add().unreachable();
            return code.finish();
        };
        let (index, entry) = (code.local_i32(), code.local_i32());
        code.add().global_get(table.unused);
        code.if_();
        let mut add = code.add();
        add.global_get(table.unused).i32_const(1).i32_sub();
        add.local_set(index);
        put_entry(&mut code, table, index);
        let mut add = code.add();
        add.i32_load(at(0, 4)).global_set(table.unused);
        code.else_();
        let mut add = code.add();
        add.global_get(table.length).local_tee(index);
        add.global_get(table.capacity).i32_eq();
        code.if_();
        code.add().call(grow);
        code.end();
        let mut add = code.add();
        add.local_get(index).i32_const(1).i32_add();
        add.global_set(table.length);
        put_entry(&mut code, table, index);
        code.add()
            .global_get(table.first)
            .i32_store(at(GENERATION, 4));
        code.end();
        put_entry(&mut code, table, index);
        let mut add = code.add();
        add.local_tee(entry).local_get(taken).i32_store(at(0, 4));
        add.local_get(entry).local_get(resource);
        add.i32_const(1).i32_add().i32_store(at(RESOURCE, 4));
        add.local_get(entry).i32_const(0).i32_store(at(STAMP, 4));
        add.local_get(entry).i32_load(at(GENERATION, 4));
        add.i32_const(INDEX_BITS).i32_shl();
        add.local_get(index).i32_or();
        code.finish()
    }

    /// A full table cannot be reported to the caller: an exporter that returns a million resources
    /// traps.
    pub(super) fn make_grow_table(&mut self) -> Function {
        let allocate = self.helper(Helper::Allocate);
        let mut code = Code::new(0);
        let Some(table) = self.handles.table() else {
            code.add().unreachable();
            return code.finish();
        };
        let (capacity, start) = (code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.global_get(table.capacity).i32_const(1).i32_shl();
        add.local_tee(capacity).i32_const(INDEX_MASK + 1).i32_gt_u();
        code.if_();
        code.add().unreachable();
        code.end();
        code.add().local_get(capacity).i32_eqz();
        code.if_();
        code.add().i32_const(FIRST_CAPACITY).local_set(capacity);
        code.end();
        let mut add = code.add();
        add.local_get(capacity).i32_const(ENTRY).i32_mul();
        add.i32_const(4).call(allocate);
        add.local_tee(start).i32_eqz();
        code.if_();
        code.add().unreachable();
        code.end();
        let mut add = code.add();
        add.local_get(start).global_get(table.start);
        add.global_get(table.length).i32_const(ENTRY).i32_mul();
        add.memory_copy(0, 0);
        add.local_get(start).global_set(table.start);
        add.local_get(capacity).global_set(table.capacity);
        code.finish()
    }
}

/// Pushes the address of an entry onto the stack.
fn put_entry(code: &mut Code, table: Table, index: Local) {
    let mut add = code.add();
    add.global_get(table.start).local_get(index);
    add.i32_const(ENTRY).i32_mul().i32_add();
}

/// Returns 0 if the condition on the stack holds.
fn return_zero(code: &mut Code) {
    code.if_();
    code.add().i32_const(0).return_();
    code.end();
}
