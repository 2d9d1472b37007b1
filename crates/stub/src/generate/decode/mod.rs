//! Code that decodes values from untrusted bytes.
//!
//! A value is laid out in canonical memory, ready to be lifted or passed on. Strings and byte lists
//! are not copied: the value points into the encoded bytes. Nothing is allocated for a list before
//! its length is compared with the number of bytes left.

mod reader;
mod scalar;

use wasm_encoder::Function;
use weft_wire::{MAX_VALUE_ELEMENTS, Malformed, Scalar};

use super::code::{Code, Local, at, byte_at};
use super::generator::{Generator, Key};
use super::helpers::Helper;
use super::shape::{Flat, Shape, ShapeId, Tag};
use super::variant_cases::CaseSwitch;
use reader::{ADDRESS, END, P, Reader};
use scalar::{Integer, decode_flags};

/// The maximum number of elements of one list. Lists of bytes and floats, as large in memory as
/// encoded, are limited by their bytes alone.
const MAX_ELEMENTS: i32 = MAX_VALUE_ELEMENTS as i32;

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
        let layout = self.shapes.layout(element).clone();
        let count = self.decode_length(&mut reader);
        let base = reader.code.local_i32();
        if layout.is_plain {
            let read = self.helper(Helper::ReadPlain);
            let mut add = reader.code.add();
            add.local_get(P).local_get(END).local_get(ADDRESS);
            add.local_get(count).i32_const(layout.size.cast_signed());
            add.i32_const(layout.align.cast_signed()).call(read);
            reader.continue_at();
            return reader.finish();
        }
        let mut add = reader.code.add();
        add.local_get(count).i32_const(MAX_ELEMENTS).i32_gt_u();
        reader.code.fail_if(Malformed::Elements);
        let reserve = self.helper(Helper::ReserveList);
        let mut add = reader.code.add();
        // Each element takes at least `encoded_min` bytes, so a longer list is truncated.
        add.local_get(count).i64_extend_i32_u();
        add.i64_const(i64::from(layout.encoded_min)).i64_mul();
        add.local_get(END).local_get(P).i32_sub().i64_extend_i32_u();
        add.i64_gt_u();
        reader.code.branch_if(reader.truncated);
        let mut add = reader.code.add();
        add.local_get(ADDRESS).local_get(count);
        add.i32_const(layout.size.cast_signed());
        add.i32_const(layout.align.cast_signed());
        add.call(reserve).local_tee(base).i32_eqz();
        reader.code.branch_if(reader.failed);
        self.decode_elements(&mut reader, element, (base, count));
        reader.finish()
    }

    fn decode_elements(
        &mut self,
        reader: &mut Reader,
        element: ShapeId,
        (cursor, count): (Local, Local),
    ) {
        let size = self.shapes.layout(element).size.cast_signed();
        let stop = reader.code.local_i32();
        let mut add = reader.code.add();
        add.local_get(cursor).local_get(count).i32_const(size);
        add.i32_mul().i32_add().local_set(stop);
        let done = reader.code.block();
        let next = reader.code.loop_();
        reader.code.add().local_get(cursor).local_get(stop).i32_eq();
        reader.code.branch_if(done);
        reader.available = 0;
        self.decode_inline(reader, element, (cursor, 0));
        reader.flush();
        let mut add = reader.code.add();
        add.local_get(cursor).i32_const(size).i32_add();
        add.local_set(cursor);
        reader.code.branch(next);
        reader.code.end();
        reader.code.end();
        reader.available = 0;
    }

    /// Decodes a value in place if it is small, else through a function of its own.
    fn decode_inline(&mut self, reader: &mut Reader, shape: ShapeId, place: (Local, u32)) {
        let leaves = if self.is_inline(shape) {
            self.leaves(shape)
        } else {
            vec![(0, shape)]
        };
        self.decode_leaves(reader, &leaves, place);
    }

    /// Decodes a value part by part, with one bounds check for each run of fixed-size parts.
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

    /// Number of bytes that must be left for the parts up to the first of variable size.
    fn run(&self, leaves: &[(u32, ShapeId)]) -> u32 {
        /// Enough bytes to make the cost of one more check small.
        const LONGEST: u32 = 256;
        let mut run = 0;
        for (_, leaf) in leaves {
            let layout = self.shapes.layout(*leaf);
            run += layout.encoded_min.min(LONGEST);
            if layout.encoded_max != Some(layout.encoded_min) || run >= LONGEST {
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
                reader.require(1, run);
                let tag = self.decode_tag(reader, tag, &cases, place);
                reader.code.release(tag);
            }
            Shape::Variant(..) | Shape::Record(_) => {
                self.decode_by(reader, Key::Decode(shape), place);
            }
            Shape::String => self.decode_by(reader, Key::Helper(Helper::ReadString), place),
            Shape::List(element) => self.decode_by(reader, Key::DecodeList(element), place),
            Shape::Scalar(scalar) => self.decode_scalar(reader, scalar, run, place),
            Shape::Flags(count) => decode_flags(reader, count, run, place),
            Shape::Handle { resource, owned } => {
                self.decode_handle(reader, (resource, owned), run, place);
            }
        }
    }

    /// Decodes a part through a function of its own.
    fn decode_by(&mut self, reader: &mut Reader, key: Key, (address, offset): (Local, u32)) {
        reader.flush();
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
        reader.require(1, 1);
        let tag = self.decode_tag(reader, form, cases, (address, offset));
        let payload_at = offset + self.shapes.variant_layout(cases).payload;
        reader.flush();
        let known = reader.available;
        let mut least_known = known;
        CaseSwitch::new(cases).emit(reader, tag, |reader, payload| {
            reader.available = known;
            self.decode_inline(reader, payload, (address, payload_at));
            reader.flush();
            least_known = least_known.min(reader.available);
        });
        reader.code.release(tag);
        reader.available = least_known;
    }

    /// Decodes the discriminant of a variant, stores it and returns it in a local. One byte is
    /// known to be left.
    fn decode_tag(
        &mut self,
        reader: &mut Reader,
        form: Tag,
        cases: &[Option<ShapeId>],
        (address, offset): (Local, u32),
    ) -> Local {
        let tag = match form {
            Tag::Byte => {
                let tag = reader.code.local_i32();
                let place = byte_at(reader.advance(1));
                let mut add = reader.code.add();
                add.local_get(P).i32_load8_u(place).local_set(tag);
                tag
            }
            Tag::Integer => self.decode_integer(reader, Integer::of(Scalar::U32)),
        };
        // A component cannot have more cases than this.
        let count = i32::try_from(cases.len()).unwrap_or(i32::MAX);
        let mut add = reader.code.add();
        add.local_get(tag).i32_const(count).i32_ge_u();
        reader.code.fail_if(Malformed::Discriminant);
        let bytes = self.shapes.variant_layout(cases).tag_bytes;
        reader.code.add().local_get(address).local_get(tag);
        store(&mut reader.code, offset, Flat::I32, bytes);
        tag
    }

    /// Decodes the length of a list.
    fn decode_length(&mut self, reader: &mut Reader) -> Local {
        reader.require(1, 1);
        self.decode_integer(reader, Integer::of(Scalar::U32))
    }
}

/// Stores the value on the stack at the address below it.
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
