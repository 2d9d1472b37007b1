//! The module of a skeleton: it imports interfaces, and calls them with decoded arguments.

use wasm_encoder::{Function as Body, ValType};
use weft_wire::Malformed;
use wit_parser::{ResourceIntrinsic, TypeId, WasmExportKind, WasmImport, WorldKey};

use super::code::{Code, Label, Local, at, byte_at, coerce, global};
use super::encode::{Sink, Source, load};
use super::error::GenerateError;
use super::generator::{Generator, Key};
use super::handles::{HandleConversion, Handles, Table, intrinsic};
use super::helpers::{GENERATION_MASK, Helper};
use super::memory_layout::{
    ARGUMENTS_AREA, INLINE_WORDS, MAX_INLINE_BYTES, RESULT_PAYLOAD, RETURN_AREA, returned_bytes,
};
use super::module::{Func, FunctionType, Module};
use super::shape::{Flat, Shape, ShapeId, Shapes};
use super::signature::Call;
use super::world::{LinkWorld, MANGLING};
use crate::plan::MAX_SCALARS;

/// Generates the module of a skeleton for a [`LinkWorld`].
pub(crate) fn module(world: &LinkWorld) -> Result<Vec<u8>, GenerateError> {
    let resources = world.resources();
    let mut shapes = Shapes::new(resources.iter().map(|(_, id)| *id).collect());
    let calls = Call::all(world, &mut shapes)?;
    let mut module = Module::default();
    let import =
        |call: &Call<'_>| module.import(&call.import_name(world), &import_type(&shapes, call));
    let imports: Vec<Func> = calls.iter().map(import).collect();
    let drops = import_drops(&mut module, world, &resources);
    let table = Table::new(&mut module);
    let call_finished = module.add_global(0);
    let handles = Handles::Skeleton {
        has_resources: !drops.is_empty(),
        table,
        call_finished,
    };
    let mut generator = Generator::new(module, shapes, handles);
    let served: Vec<_> = calls.iter().zip(imports).collect();
    let invoke = generator.add_invoke((table, call_finished), &served);
    let invoke_small = generator.add_invoke_small(invoke);
    let invoke_scalars = generator.add_invoke_scalars(&served);
    let drop = generator.add_drop(&drops);
    let open = generator.add_open(table);
    let exports = [
        ("invoke", invoke),
        ("invoke-small", invoke_small),
        ("invoke-scalars", invoke_scalars),
        ("drop", drop),
        ("open", open),
    ];
    for (name, func) in exports {
        let name = world.link_export(name, WasmExportKind::Normal);
        generator.module.export(&name, func);
    }
    Ok(generator.finish())
}

/// Imports the drop function of each resource.
fn import_drops(
    module: &mut Module,
    world: &LinkWorld,
    resources: &[(WorldKey, TypeId)],
) -> Vec<Func> {
    let import = |(interface, resource): &(WorldKey, TypeId)| {
        let import = WasmImport::ResourceIntrinsic {
            interface: Some(interface),
            resource: *resource,
            intrinsic: ResourceIntrinsic::ImportedDrop,
        };
        let name = world.resolve.wasm_import_name(MANGLING, import);
        module.import(&name, &intrinsic::drops())
    };
    resources.iter().map(import).collect()
}

/// The core type of an imported function.
fn import_type(shapes: &Shapes, call: &Call<'_>) -> FunctionType {
    let mut parameters = call.core_parameters(shapes);
    if call.result_in_memory(shapes).is_some() {
        parameters.push(ValType::I32);
    }
    let results: Vec<ValType> = call
        .flat_result(shapes)
        .into_iter()
        .map(ValType::from)
        .collect();
    FunctionType::new(&parameters, &results)
}

impl Generator {
    /// `(function, arguments, length) -> address of the outcome`
    fn add_invoke(
        &mut self,
        (table, call_finished): (Table, u32),
        served: &[(&Call<'_>, Func)],
    ) -> Func {
        let (function, pointer, length) = (0, 1, 2);
        let arms: Vec<(u32, Func)> = served
            .iter()
            .map(|(call, import)| (call.index, self.add_served(call, *import)))
            .collect();
        let mut code = Code::new(3);
        let (out, rest) = (code.local_i32(), code.local_i32());
        let begin = self.helper(Helper::BeginCall);
        let mut add = code.add();
        add.call(begin);
        add.global_get(table.stamp).i32_const(2).i32_add();
        add.global_set(table.stamp);
        dispatch(&mut code, function, &arms, |code, arm| match arm {
            Some(arm) => {
                let mut add = code.add();
                add.local_get(pointer).local_get(pointer);
                add.local_get(length).i32_add().call(arm.0);
                add.local_set(rest).local_set(out);
            }
            None => {
                let unknown = Malformed::UnknownFunction.number().cast_signed();
                code.add().i32_const(unknown).local_set(rest);
            }
        });
        let mut add = code.add();
        add.i32_const(RETURN_AREA).local_get(out).i32_eqz();
        add.i32_store8(at(0, 1));
        code.add().local_get(out);
        code.if_();
        return_bytes(&mut code, out, rest);
        code.else_();
        let mut add = code.add();
        add.i32_const(RETURN_AREA)
            .local_get(rest)
            .i32_store(at(RESULT_PAYLOAD, 4));
        code.end();
        let mut add = code.add();
        add.i32_const(1).global_set(call_finished);
        add.i32_const(RETURN_AREA);
        let func = self.module.declare(&FunctionType::words(3, 1));
        self.module.define(func, code.finish());
        func
    }

    /// `(function, length, words…) -> address of the outcome`
    fn add_invoke_small(&mut self, invoke: Func) -> Func {
        use ValType::{I32, I64};
        let (function, length, first_word) = (0, 1, 2);
        let mut code = Code::new(2 + INLINE_WORDS as usize);
        for word in 0..INLINE_WORDS {
            let mut add = code.add();
            add.i32_const(ARGUMENTS_AREA).local_get(first_word + word);
            add.i64_store(at(8 * word, 8));
        }
        let mut add = code.add();
        add.local_get(function).i32_const(ARGUMENTS_AREA);
        add.local_get(length).call(invoke.0);
        let parameters = [I32, I32, I64, I64, I64, I64];
        let func = self.module.declare(&FunctionType::new(&parameters, &[I32]));
        self.module.define(func, code.finish());
        func
    }

    /// `(function, words…) -> word`
    fn add_invoke_scalars(&mut self, served: &[(&Call<'_>, Func)]) -> Func {
        use ValType::{I32, I64};
        let (function, first_word) = (0, 1);
        let arms: Vec<_> = served
            .iter()
            .filter(|(call, _)| call.is_scalars)
            .map(|(call, import)| (call.index, (*call, *import)))
            .collect();
        let mut code = Code::new(1 + MAX_SCALARS);
        let word = code.local(I64);
        dispatch(&mut code, function, &arms, |code, arm| {
            let Some((call, import)) = arm else {
                code.add().unreachable();
                return;
            };
            let parameters = call.flat_parameters(&self.shapes).unwrap_or_default();
            for (parameter, flat) in (first_word..).zip(parameters) {
                code.add().local_get(parameter);
                coerce(code, Flat::I64, *flat);
            }
            code.add().call(import.0);
            if let Some(flat) = call.flat_result(&self.shapes) {
                coerce(code, flat, Flat::I64);
                code.add().local_set(word);
            }
        });
        code.add().local_get(word);
        let parameters = [I32, I64, I64, I64, I64];
        let func = self.module.declare(&FunctionType::new(&parameters, &[I64]));
        self.module.define(func, code.finish());
        func
    }

    /// `(arguments, end) -> (result, length)`, or 0 and an error
    fn add_served(&mut self, call: &Call<'_>, import: Func) -> Func {
        let func = self.module.declare(&FunctionType::words(2, 2));
        let body = self.make_served(call, import);
        self.module.define(func, body);
        func
    }

    fn make_served(&mut self, call: &Call<'_>, import: Func) -> Body {
        let (p, end) = (0, 1);
        let parameters = call.parameters;
        let mut code = Code::new(2);
        let (area, result) = (code.local_i32(), code.local_i32());
        if self.shapes.layout(parameters).size > 0 {
            self.allocate_or_fail(&mut code, parameters, area);
        }
        let decode = self.index(Key::Decode(parameters));
        let mut add = code.add();
        add.local_get(p).local_get(end).local_get(area);
        add.call(decode).local_tee(p).i32_eqz();
        code.if_();
        let mut add = code.add();
        add.i32_const(0).global_get(global::ERROR).return_();
        code.end();
        code.add().local_get(p).local_get(end).i32_ne();
        fail_if(&mut code, Malformed::Trailing);
        let in_memory = call.result_in_memory(&self.shapes);
        if let Some(shape) = in_memory {
            self.allocate_or_fail(&mut code, shape, result);
        }
        self.convert_handles(&mut code, HandleConversion::Take, parameters, (area, 0));
        match call.flat_parameters(&self.shapes).map(<[_]>::to_vec) {
            Some(flat) => self.load_flat(&mut code, parameters, (area, 0), &flat),
            None => {
                code.add().local_get(area);
            }
        }
        if in_memory.is_some() {
            code.add().local_get(result);
        }
        code.add().call(import.0);
        self.encode_reply(&mut code, call, result);
        code.finish()
    }

    /// Encodes the exporter's result, on the stack or in memory at `area`.
    fn encode_reply(&mut self, code: &mut Code, call: &Call<'_>, area: u32) {
        let source = match call.flat_result(&self.shapes) {
            Some(flat) => {
                let value = code.local(flat.into());
                code.add().local_set(value);
                Source::Flat(vec![(value, flat)])
            }
            None => Source::Memory {
                address: area,
                offset: 0,
            },
        };
        let Some(shape) = call.result else {
            // An empty reply still needs an address from which words can be loaded.
            code.add().i32_const(ARGUMENTS_AREA).i32_const(0);
            return;
        };
        self.store_handles(code, shape, &source);
        let (p, start) = (code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.global_get(global::TOP).local_tee(p).local_set(start);
        let mut sink = Sink::new(p);
        self.encode(code, &mut sink, shape, &source);
        sink.flush(code);
        let mut add = code.add();
        add.local_get(start).local_get(p).local_get(start).i32_sub();
    }

    /// Converts the handles in a result to numbers.
    fn store_handles(&mut self, code: &mut Code, shape: ShapeId, source: &Source) {
        match source {
            Source::Memory { address, offset } => {
                self.convert_handles(code, HandleConversion::Store, shape, (*address, *offset));
            }
            // A single flat value that contains a handle is that handle.
            Source::Flat(slots) => {
                if let (Some(resource), [(local, _)]) = (self.only_handle(shape), slots.as_slice())
                {
                    let keep = self.index(Key::ConvertHandle(HandleConversion::Store, resource));
                    code.add().local_get(*local).call(keep).local_set(*local);
                }
            }
        }
    }

    /// The resource of the handle in a value of one slot.
    fn only_handle(&self, shape: ShapeId) -> Option<u32> {
        match self.shapes.shape(shape) {
            Shape::Handle { resource, .. } => Some(*resource),
            Shape::Record(fields) => fields.iter().find_map(|field| self.only_handle(*field)),
            _ => None,
        }
    }

    fn allocate_or_fail(&mut self, code: &mut Code, shape: ShapeId, area: u32) {
        let layout = self.shapes.layout(shape);
        let (size, align) = (layout.size.cast_signed(), layout.align.cast_signed());
        let allocate = self.helper(Helper::Allocate);
        let mut add = code.add();
        add.i32_const(size).i32_const(align).call(allocate);
        add.local_tee(area).i32_eqz();
        fail_if(code, Malformed::Bytes);
    }

    /// `(handle) -> address of the outcome`
    fn add_drop(&mut self, drops: &[Func]) -> Func {
        let handle = 0;
        // The table numbers resources from 1.
        let arms: Vec<(u32, Func)> = (1..).zip(drops.iter().copied()).collect();
        let (find, take) = (
            self.helper(Helper::FindEntry),
            self.helper(Helper::TakeEntry),
        );
        let mut code = Code::new(1);
        let (entry, taken, kind) = (code.local_i32(), code.local_i32(), code.local_i32());
        code.add().local_get(handle).call(find).local_tee(entry);
        code.if_();
        load(&mut code, entry, 8, Flat::I32, 4);
        code.add().local_set(kind).local_get(handle).call(take);
        code.add().local_set(taken);
        dispatch(&mut code, kind, &arms, |code, arm| {
            if let Some(arm) = arm {
                code.add().local_get(taken).call(arm.0);
            }
        });
        let mut add = code.add();
        add.i32_const(RETURN_AREA).i32_const(0).i32_store8(at(0, 1));
        code.else_();
        let mut add = code.add();
        add.i32_const(RETURN_AREA).i32_const(1).i32_store8(at(0, 1));
        add.i32_const(RETURN_AREA);
        add.i32_const(Malformed::UnknownHandle.number().cast_signed())
            .i32_store(at(4, 4));
        code.end();
        code.add().i32_const(RETURN_AREA);
        let func = self.module.declare(&FunctionType::words(1, 1));
        self.module.define(func, code.finish());
        func
    }

    /// `(tag)`: all bits of the tag go into the first generation, which is not 0.
    fn add_open(&mut self, table: Table) -> Func {
        let tag = 0;
        let mut code = Code::new(1);
        code.add().global_get(table.length).i32_eqz();
        code.if_();
        let mut add = code.add();
        add.local_get(tag).i32_const(GENERATION_MASK).i32_rem_u();
        add.i32_const(1).i32_add().global_set(table.first);
        code.end();
        let func = self.module.declare(&FunctionType::words(1, 0));
        self.module.define(func, code.finish());
        func
    }
}

/// Stores `length` bytes at `address` in the return area, in words if they are few. An encoded
/// value is followed by enough slack to load all words.
fn return_bytes(code: &mut Code, address: Local, length: Local) {
    let to = RETURN_AREA + RESULT_PAYLOAD.cast_signed();
    code.add()
        .local_get(length)
        .i32_const(MAX_INLINE_BYTES.cast_signed())
        .i32_le_u();
    code.if_();
    let mut add = code.add();
    add.i32_const(to).local_get(length);
    add.i32_store(at(returned_bytes::LENGTH, 4));
    for word in 0..INLINE_WORDS {
        let mut add = code.add();
        add.i32_const(to)
            .local_get(address)
            .i64_load(byte_at(8 * word));
        add.i64_store(at(returned_bytes::WORDS + 8 * word, 8));
    }
    let mut add = code.add();
    add.i32_const(to)
        .i32_const(0)
        .i32_store8(at(returned_bytes::IS_LIST, 1));
    code.else_();
    let mut add = code.add();
    add.i32_const(to)
        .i32_const(1)
        .i32_store8(at(returned_bytes::IS_LIST, 1));
    add.i32_const(to)
        .local_get(address)
        .i32_store(at(returned_bytes::LIST, 4));
    add.i32_const(to)
        .local_get(length)
        .i32_store(at(returned_bytes::LIST_LENGTH, 4));
    code.end();
}

/// Selects one of the arms by a number; `None` is the arm for all other numbers.
fn dispatch<A: Copy>(
    code: &mut Code,
    number: u32,
    arms: &[(u32, A)],
    mut arm: impl FnMut(&mut Code, Option<A>),
) {
    let done = code.block();
    let labels: Vec<Label> = arms.iter().map(|_| code.block()).collect();
    let none = code.block();
    let last = arms.iter().map(|(index, _)| *index).max();
    let mut table = vec![none; last.map_or(0, |last| last as usize + 1)];
    for ((index, _), label) in arms.iter().zip(&labels) {
        table[*index as usize] = *label;
    }
    code.add().local_get(number);
    code.branch_table(&table, none);
    code.end();
    arm(code, None);
    code.branch(done);
    for (_, of_arm) in arms.iter().rev() {
        code.end();
        arm(code, Some(*of_arm));
        code.branch(done);
    }
    code.end();
}

/// Returns 0 and the error if the condition on the stack holds.
fn fail_if(code: &mut Code, error: Malformed) {
    code.if_();
    let mut add = code.add();
    add.i32_const(0)
        .i32_const(error.number().cast_signed())
        .return_();
    code.end();
}
