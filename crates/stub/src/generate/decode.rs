//! Code that reads values from bytes which may be anything.
//!
//! A value is laid out in canonical memory, from where it is given on. Texts and lists of bytes stay where
//! they are, and are pointed to. Nothing is allocated for a list before its length was compared with what is
//! left of the bytes.

use wasm_encoder::{Function, ValType};

use super::code::{Code, Label, Local, at, byte_at, global};
use super::generator::{Generator, Key};
use super::helpers::Helper;
use super::reason::Reason;
use super::shape::{Flat, Shape, ShapeId, Tag};
use super::switch::{Switch, Writes};

/// Where a reading function keeps its state: its parameters.
const P: Local = 0;
const END: Local = 1;
const ADDRESS: Local = 2;

/// The body of a reading function while it is written.
struct Reader {
    code: Code,
    /// Bytes behind `P` that are read already.
    pending: u32,
    /// Bytes behind those that are known to be there.
    known: u32,
    /// Leads to the end of the function, with the reason `truncated`.
    truncated: Label,
    /// Leads to the end of the function; the reason is known.
    failed: Label,
}

impl Writes for Reader {
    fn code(&mut self) -> &mut Code {
        &mut self.code
    }
}

impl Reader {
    fn new() -> Self {
        let mut code = Code::new(3);
        let failed = code.block();
        let truncated = code.block();
        Self {
            code,
            pending: 0,
            known: 0,
            truncated,
            failed,
        }
    }

    fn finish(mut self) -> Function {
        self.settle();
        self.code.add().local_get(P).return_();
        self.code.end();
        let truncated = Reason::Truncated.code();
        self.code
            .add()
            .i32_const(truncated)
            .global_set(global::REASON);
        self.code.end();
        self.code.add().i32_const(0);
        self.code.finish()
    }

    /// Makes `P` the address of the next byte.
    fn settle(&mut self) {
        if self.pending > 0 {
            let pending = self.pending.cast_signed();
            let mut add = self.code.add();
            add.local_get(P).i32_const(pending).i32_add().local_set(P);
            self.pending = 0;
        }
    }

    /// Makes sure of `bytes`; if a check is needed, it is for all of `run`, which are needed next.
    fn need(&mut self, bytes: u32, run: u32) {
        if self.known < bytes {
            self.settle();
            let run = run.max(bytes);
            let mut add = self.code.add();
            add.local_get(END).local_get(P).i32_sub();
            add.i32_const(run.cast_signed()).i32_lt_u();
            self.code.leave_if(self.truncated);
            self.known = run;
        }
        self.known -= bytes;
    }

    /// The place of the next bytes, which are counted as read.
    fn advance(&mut self, bytes: u32) -> u32 {
        self.pending += bytes;
        self.pending - bytes
    }

    /// Takes the new `P` from the stack, which is 0 after a failure.
    fn continue_at(&mut self) {
        self.code.add().local_tee(P).i32_eqz();
        self.code.leave_if(self.failed);
        self.known = 0;
    }
}

impl Generator {
    pub(crate) fn make_decode(&mut self, shape: ShapeId) -> Function {
        let mut reader = Reader::new();
        if let Shape::Variant(tag, cases) = self.shapes.shape(shape).clone() {
            self.decode_variant(&mut reader, tag, &cases, (ADDRESS, 0));
        } else {
            let leaves = self.leaves(shape);
            self.decode_leaves(&mut reader, &leaves, (ADDRESS, 0));
        }
        reader.finish()
    }

    pub(crate) fn make_decode_list(&mut self, element: ShapeId) -> Function {
        let mut reader = Reader::new();
        let facts = self.shapes.facts(element).clone();
        let count = self.decode_length(&mut reader);
        let base = reader.code.take_i32();
        if facts.plain {
            let read = self.helper(Helper::ReadPlain);
            let mut add = reader.code.add();
            add.local_get(P).local_get(END).local_get(ADDRESS);
            add.local_get(count).i32_const(facts.size.cast_signed());
            add.i32_const(facts.align.cast_signed()).call(read);
            reader.continue_at();
            return reader.finish();
        }
        let reserve = self.helper(Helper::ReserveList);
        let mut add = reader.code.add();
        // The fewest bytes are those of the elements, so a longer list cannot be there.
        add.local_get(count).i64_extend_i32_u();
        add.i64_const(i64::from(facts.least)).i64_mul();
        add.local_get(END).local_get(P).i32_sub().i64_extend_i32_u();
        add.i64_gt_u();
        reader.code.leave_if(reader.truncated);
        let mut add = reader.code.add();
        add.local_get(ADDRESS).local_get(count);
        add.i32_const(facts.size.cast_signed());
        add.i32_const(facts.align.cast_signed());
        add.call(reserve).local_tee(base).i32_eqz();
        reader.code.leave_if(reader.failed);
        self.decode_elements(&mut reader, element, (base, count));
        reader.finish()
    }

    fn decode_elements(
        &mut self,
        reader: &mut Reader,
        element: ShapeId,
        (cursor, count): (Local, Local),
    ) {
        let size = self.shapes.facts(element).size.cast_signed();
        let stop = reader.code.take_i32();
        let mut add = reader.code.add();
        add.local_get(cursor).local_get(count).i32_const(size);
        add.i32_mul().i32_add().local_set(stop);
        let done = reader.code.block();
        let next = reader.code.repeat();
        reader.code.add().local_get(cursor).local_get(stop).i32_eq();
        reader.code.leave_if(done);
        reader.known = 0;
        self.decode_inline(reader, element, (cursor, 0));
        reader.settle();
        let mut add = reader.code.add();
        add.local_get(cursor).i32_const(size).i32_add();
        add.local_set(cursor);
        reader.code.leave(next);
        reader.code.end();
        reader.code.end();
        reader.known = 0;
    }

    /// Reads a value here, if it is small, or by a function of its own.
    fn decode_inline(&mut self, reader: &mut Reader, shape: ShapeId, place: (Local, u32)) {
        let leaves = if self.is_inline(shape) {
            self.leaves(shape)
        } else {
            vec![(0, shape)]
        };
        self.decode_leaves(reader, &leaves, place);
    }

    /// Reads a value part by part, with one check for as many parts as have a fixed length.
    fn decode_leaves(
        &mut self,
        reader: &mut Reader,
        leaves: &[(u32, ShapeId)],
        (address, offset): (Local, u32),
    ) {
        for (index, (at, leaf)) in leaves.iter().enumerate() {
            let run = self.run(&leaves[index..]);
            self.decode_leaf(reader, *leaf, run, (address, offset + at));
        }
    }

    /// How many bytes there must be for the parts up to the first whose length is not fixed.
    fn run(&self, leaves: &[(u32, ShapeId)]) -> u32 {
        /// Enough for what is read without another check to be worth it.
        const LONGEST: u32 = 256;
        let mut run = 0;
        for (_, leaf) in leaves {
            let facts = self.shapes.facts(*leaf);
            run += facts.least.min(LONGEST);
            if facts.most != Some(facts.least) || run >= LONGEST {
                break;
            }
        }
        run
    }

    fn decode_leaf(
        &mut self,
        reader: &mut Reader,
        shape: ShapeId,
        run: u32,
        (address, offset): (Local, u32),
    ) {
        let place = (address, offset);
        match self.shapes.shape(shape).clone() {
            Shape::Variant(tag, cases) if self.is_inline(shape) => {
                reader.need(1, run);
                let tag = self.decode_tag(reader, tag, &cases, place);
                reader.code.give_back(tag);
            }
            Shape::Variant(..) | Shape::Record(_) => {
                self.decode_by(reader, Key::Decode(shape), place);
            }
            Shape::String => self.decode_by(reader, Key::Helper(Helper::ReadString), place),
            Shape::List(element) => self.decode_by(reader, Key::DecodeList(element), place),
            scalar => self.decode_scalar(reader, &scalar, run, place),
        }
    }

    /// Reads a part by a function of its own.
    fn decode_by(&mut self, reader: &mut Reader, key: Key, (address, offset): (Local, u32)) {
        reader.settle();
        let function = self.index(key);
        let mut add = reader.code.add();
        add.local_get(P).local_get(END).local_get(address);
        if offset > 0 {
            add.i32_const(offset.cast_signed()).i32_add();
        }
        add.call(function);
        reader.continue_at();
    }

    fn decode_variant(
        &mut self,
        reader: &mut Reader,
        form: Tag,
        cases: &[Option<ShapeId>],
        (address, offset): (Local, u32),
    ) {
        reader.need(1, 1);
        let tag = self.decode_tag(reader, form, cases, (address, offset));
        let payload_at = offset + self.shapes.variant_layout(cases).payload;
        reader.settle();
        let known = reader.known;
        let mut least_known = known;
        Switch::new(cases).emit(reader, tag, |reader, payload| {
            reader.known = known;
            self.decode_inline(reader, payload, (address, payload_at));
            reader.settle();
            least_known = least_known.min(reader.known);
        });
        reader.code.give_back(tag);
        reader.known = least_known;
    }

    /// Reads which case it is, stores it and leaves it in a local. One byte is known to be there.
    fn decode_tag(
        &mut self,
        reader: &mut Reader,
        form: Tag,
        cases: &[Option<ShapeId>],
        (address, offset): (Local, u32),
    ) -> Local {
        let tag = match form {
            Tag::Byte => {
                let tag = reader.code.take_i32();
                let place = byte_at(reader.advance(1));
                let mut add = reader.code.add();
                add.local_get(P).i32_load8_u(place).local_set(tag);
                tag
            }
            Tag::Integer => self.decode_integer(reader, Integer::UNSIGNED_32),
        };
        // More cases than this are no component.
        let count = i32::try_from(cases.len()).unwrap_or(i32::MAX);
        let mut add = reader.code.add();
        add.local_get(tag).i32_const(count).i32_ge_u();
        reader.code.fail_if(Reason::Discriminant);
        let bytes = self.shapes.variant_layout(cases).tag_bytes;
        reader.code.add().local_get(address).local_get(tag);
        store(&mut reader.code, offset, Flat::I32, bytes);
        tag
    }

    fn decode_scalar(
        &mut self,
        reader: &mut Reader,
        shape: &Shape,
        run: u32,
        (address, offset): (Local, u32),
    ) {
        let place = (address, offset);
        match shape {
            Shape::U8 | Shape::S8 => decode_copy(reader, (Flat::I32, 1), run, place),
            Shape::F32 => decode_copy(reader, (Flat::F32, 4), run, place),
            Shape::F64 => decode_copy(reader, (Flat::F64, 8), run, place),
            Shape::Bool => decode_bool(reader, run, place),
            Shape::Flags(count) => decode_flags(reader, *count, run, place),
            Shape::U16 => self.decode_number(reader, Integer::unsigned(16), run, place),
            Shape::U32 => self.decode_number(reader, Integer::UNSIGNED_32, run, place),
            Shape::U64 => self.decode_number(reader, Integer::unsigned(64), run, place),
            Shape::S16 => self.decode_number(reader, Integer::signed(16), run, place),
            Shape::S32 => self.decode_number(reader, Integer::signed(32), run, place),
            Shape::S64 => self.decode_number(reader, Integer::signed(64), run, place),
            Shape::Char => self.decode_char(reader, run, place),
            Shape::Handle { resource, owned } => {
                self.decode_handle(reader, (*resource, *owned), run, place);
            }
            // Not scalars.
            Shape::String | Shape::List(_) | Shape::Record(_) | Shape::Variant(..) => {}
        }
    }

    fn decode_number(
        &mut self,
        reader: &mut Reader,
        integer: Integer,
        run: u32,
        (address, offset): (Local, u32),
    ) {
        reader.need(1, run);
        let number = self.decode_integer(reader, integer);
        reader.code.add().local_get(address).local_get(number);
        store(&mut reader.code, offset, integer.flat(), integer.bits / 8);
        reader.code.give_back(number);
    }

    /// Reads an integer that is mostly small: one byte here, which is known to be there, more by a helper.
    fn decode_integer(&mut self, reader: &mut Reader, integer: Integer) -> Local {
        let number = reader.code.take(ValType::from(integer.flat()));
        let byte = reader.code.take_i32();
        let place = reader.advance(0);
        let mut add = reader.code.add();
        add.local_get(P).i32_load8_u(byte_at(place));
        add.local_tee(byte).i32_const(0x80).i32_lt_u();
        reader.code.when();
        integer.from_byte(&mut reader.code, byte);
        let mut add = reader.code.add();
        add.local_set(number).local_get(P);
        add.i32_const(place.cast_signed() + 1);
        add.i32_add().local_set(P);
        reader.code.otherwise();
        let read = self.helper(integer.helper());
        let wide = reader.code.take(ValType::I64);
        let mut add = reader.code.add();
        add.local_get(P).i32_const(place.cast_signed()).i32_add();
        add.local_get(END).i32_const(integer.bits.cast_signed());
        add.call(read).local_set(wide).local_tee(P).i32_eqz();
        reader.code.leave_if(reader.failed);
        let mut add = reader.code.add();
        add.local_get(wide);
        if integer.flat() == Flat::I32 {
            add.i32_wrap_i64();
        }
        add.local_set(number);
        reader.code.end();
        reader.pending = 0;
        reader.known = 0;
        reader.code.give_back(wide);
        reader.code.give_back(byte);
        number
    }

    /// Reads the length of a list.
    fn decode_length(&mut self, reader: &mut Reader) -> Local {
        reader.need(1, 1);
        self.decode_integer(reader, Integer::UNSIGNED_32)
    }

    fn decode_char(&mut self, reader: &mut Reader, run: u32, (address, offset): (Local, u32)) {
        reader.need(1, run);
        reader.settle();
        let read = self.helper(Helper::ReadChar);
        let value = reader.code.take_i32();
        let mut add = reader.code.add();
        add.local_get(P).local_get(END).call(read).local_set(value);
        reader.continue_at();
        reader.code.add().local_get(address).local_get(value);
        store(&mut reader.code, offset, Flat::I32, 4);
        reader.code.give_back(value);
    }

    /// Leaves the number of the wire in memory: it becomes a handle when all else was read too. A skeleton
    /// looks whether there is such a handle at once.
    fn decode_handle(
        &mut self,
        reader: &mut Reader,
        (resource, owned): (u32, bool),
        run: u32,
        (address, offset): (Local, u32),
    ) {
        reader.need(5, run);
        let place = reader.advance(5);
        let number = reader.code.take_i32();
        let mut add = reader.code.add();
        add.local_get(P).i32_load8_u(byte_at(place));
        add.i32_const(4).i32_ne();
        reader.code.fail_if(Reason::Handle);
        let mut add = reader.code.add();
        add.local_get(P).i32_load(byte_at(place + 1));
        add.local_set(number);
        if !self.handles.is_stub() {
            let check = self.helper(Helper::CheckHandle);
            let mut add = reader.code.add();
            add.local_get(number).i32_const(resource.cast_signed());
            add.i32_const(i32::from(owned)).call(check).i32_eqz();
            reader.code.fail_if(Reason::UnknownHandle);
        }
        reader.code.add().local_get(address).local_get(number);
        store(&mut reader.code, offset, Flat::I32, 4);
        reader.code.give_back(number);
    }
}

/// Reads what is the same bytes in memory.
fn decode_copy(
    reader: &mut Reader,
    (flat, bytes): (Flat, u32),
    run: u32,
    (address, offset): (Local, u32),
) {
    reader.need(bytes, run);
    let place = byte_at(reader.advance(bytes));
    let mut add = reader.code.add();
    add.local_get(address).local_get(P);
    match (flat, bytes) {
        (Flat::I32, _) => add.i32_load8_u(place),
        (Flat::F32, _) => add.f32_load(place),
        _ => add.f64_load(place),
    };
    store(&mut reader.code, offset, flat, bytes);
}

fn decode_bool(reader: &mut Reader, run: u32, (address, offset): (Local, u32)) {
    reader.need(1, run);
    let place = byte_at(reader.advance(1));
    let byte = reader.code.take_i32();
    let mut add = reader.code.add();
    add.local_get(P).i32_load8_u(place);
    add.local_tee(byte).i32_const(1).i32_gt_u();
    reader.code.fail_if(Reason::Bool);
    reader.code.add().local_get(address).local_get(byte);
    store(&mut reader.code, offset, Flat::I32, 1);
    reader.code.give_back(byte);
}

fn decode_flags(reader: &mut Reader, count: u32, run: u32, (address, offset): (Local, u32)) {
    let wire = count.div_ceil(8);
    reader.need(wire, run);
    let place = reader.advance(wire);
    let bits = reader.code.take_i32();
    load_bytes(&mut reader.code, place, wire);
    reader.code.add().local_set(bits);
    if !count.is_multiple_of(8) {
        let mut add = reader.code.add();
        add.local_get(bits).i32_const(count.cast_signed());
        add.i32_shr_u();
        reader.code.fail_if(Reason::Flags);
    }
    reader.code.add().local_get(address).local_get(bits);
    store(&mut reader.code, offset, Flat::I32, wire.next_power_of_two());
    reader.code.give_back(bits);
}

/// Puts 1 to 4 of the next bytes onto the stack as one number.
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

/// Stores the value on the stack behind the address below it.
pub(crate) fn store(code: &mut Code, offset: u32, flat: Flat, bytes: u32) {
    let place = at(offset, bytes);
    let mut add = code.add();
    match (flat, bytes) {
        (Flat::I32, 1) => add.i32_store8(place),
        (Flat::I32, 2) => add.i32_store16(place),
        (Flat::I32, _) => add.i32_store(place),
        (Flat::I64, _) => add.i64_store(place),
        (Flat::F32, _) => add.f32_store(place),
        (Flat::F64, _) => add.f64_store(place),
    };
}

/// An integer type that is encoded in LEB128.
#[derive(Debug, Clone, Copy)]
struct Integer {
    bits: u32,
    signed: bool,
}

impl Integer {
    const UNSIGNED_32: Self = Self::unsigned(32);

    const fn unsigned(bits: u32) -> Self {
        let signed = false;
        Self { bits, signed }
    }

    const fn signed(bits: u32) -> Self {
        let signed = true;
        Self { bits, signed }
    }

    fn flat(self) -> Flat {
        if self.bits == 64 { Flat::I64 } else { Flat::I32 }
    }

    fn helper(self) -> Helper {
        if self.signed {
            Helper::ReadSigned
        } else {
            Helper::ReadUnsigned
        }
    }

    /// Puts the value of a single byte onto the stack.
    fn from_byte(self, code: &mut Code, byte: Local) {
        let mut add = code.add();
        add.local_get(byte);
        if self.signed {
            // Its sign is the seventh bit.
            add.i32_const(25).i32_shl().i32_const(25).i32_shr_s();
        }
        match (self.flat(), self.signed) {
            (Flat::I64, true) => add.i64_extend_i32_s(),
            (Flat::I64, false) => add.i64_extend_i32_u(),
            _ => &mut add,
        };
    }
}
