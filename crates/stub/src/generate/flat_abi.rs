//! Code that loads values from memory in their flat form.

use wasm_encoder::Function;
use weft_wire::Scalar;

use super::code::{Code, Local, coerce};
use super::encode::load;
use super::generator::{Generator, Key};
use super::shape::{Flat, Shape, ShapeId};
use super::variant_cases::CaseSwitch;

impl Generator {
    pub(crate) fn make_load_flat(&mut self, shape: ShapeId) -> Function {
        let mut code = Code::new(1);
        let Shape::Variant(_, cases) = self.shapes.shape(shape).clone() else {
            let flat = self.flat(shape).to_vec();
            self.load_flat(&mut code, shape, (0, 0), &flat);
            return code.finish();
        };
        let slots = self.flat(shape).to_vec();
        let locals: Vec<Local> = slots
            .iter()
            .map(|flat| code.local((*flat).into()))
            .collect();
        let layout = self.shapes.variant_layout(&cases);
        let tag = locals.first().copied().unwrap_or_default();
        load(&mut code, 0, 0, Flat::I32, layout.tag_bytes);
        code.add().local_set(tag);
        CaseSwitch::new(&cases).emit(&mut code, tag, |code, payload| {
            let count = self.flat(payload).len();
            self.load_flat(code, payload, (0, layout.payload), &slots[1..=count]);
            for local in locals[1..=count].iter().rev() {
                code.add().local_set(*local);
            }
        });
        for local in locals {
            code.add().local_get(local);
        }
        code.finish()
    }

    /// Pushes the flat form of a value in memory onto the stack, converted to slots of these types.
    pub(crate) fn load_flat(
        &mut self,
        code: &mut Code,
        shape: ShapeId,
        (address, offset): (Local, u32),
        slots: &[Flat],
    ) {
        match self.shapes.shape(shape).clone() {
            Shape::Record(fields) => {
                let mut rest = slots;
                for (at, field) in self.shapes.fields(&fields) {
                    let (own, others) = rest.split_at(self.flat(field).len());
                    self.load_flat(code, field, (address, offset + at), own);
                    rest = others;
                }
            }
            Shape::Variant(_, cases) if cases.iter().any(Option::is_some) => {
                let function = self.index(Key::LoadFlat(shape));
                code.add().local_get(address);
                code.add().i32_const(offset.cast_signed()).i32_add();
                code.add().call(function);
                self.coerce_all(code, shape, slots);
            }
            Shape::String | Shape::List(_) => {
                load(code, address, offset, Flat::I32, 4);
                coerce(code, Flat::I32, slots[0]);
                load(code, address, offset + 4, Flat::I32, 4);
                coerce(code, Flat::I32, slots[1]);
            }
            single => {
                let flat = self.flat(shape)[0];
                let size = self.shapes.layout(shape).size;
                load(code, address, offset, flat, size);
                match single {
                    Shape::Scalar(Scalar::S8) => code.add().i32_extend8_s(),
                    Shape::Scalar(Scalar::S16) => code.add().i32_extend16_s(),
                    _ => &mut code.add(),
                };
                coerce(code, flat, slots[0]);
            }
        }
    }

    /// Converts the flat form of `shape` on the stack to slots of these types.
    fn coerce_all(&mut self, code: &mut Code, shape: ShapeId, slots: &[Flat]) {
        let flat = self.flat(shape).to_vec();
        if flat == slots {
            return;
        }
        let locals: Vec<Local> = flat.iter().map(|flat| code.local((*flat).into())).collect();
        for local in locals.iter().rev() {
            code.add().local_set(*local);
        }
        for ((local, from), to) in locals.iter().zip(flat).zip(slots) {
            code.add().local_get(*local);
            coerce(code, from, *to);
            code.release(*local);
        }
    }
}
