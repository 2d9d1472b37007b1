//! The module of a stub: it exports interfaces, and sends each call to the host as bytes.

use wasm_encoder::{Function as Body, ValType};
use weft_wire::Malformed;
use wit_parser::{ResourceIntrinsic, TypeId, WasmExport, WasmExportKind, WasmImport, WorldKey};

use super::code::{Code, Local, at, byte_at, coerce, global};
use super::encode::{Sink, Source};
use super::error::GenerateError;
use super::generator::{Generator, Key};
use super::handles::{HandleConversion, Handles, ResourceIntrinsics, intrinsic};
use super::helpers::Helper;
use super::memory_layout::{
    INLINE_WORDS, MAX_INLINE_BYTES, RESULT_AREA, RESULT_AREA_BYTES, RETURN_AREA, returned_bytes,
};
use super::module::{Func, FunctionType, Module};
use super::shape::{Flat, ShapeId, Shapes};
use super::signature::Call;
use super::world::{LinkWorld, MANGLING};
use crate::plan::MAX_SCALARS;

/// The functions of the host that a stub imports.
#[derive(Debug, Clone, Copy)]
struct HostFunctions {
    call: Func,
    call_small: Func,
    call_scalars: Func,
    drop: Func,
    malformed: Func,
}

/// Generates the module of a stub for a [`LinkWorld`].
pub(crate) fn module(world: &LinkWorld) -> Result<Vec<u8>, GenerateError> {
    let resources = world.resources();
    let mut shapes = Shapes::new(resources.iter().map(|(_, id)| *id).collect());
    let calls = Call::all(world, &mut shapes)?;
    let mut module = Module::default();
    let host = HostFunctions::import(&mut module, world);
    let implemented = import_intrinsics(&mut module, world, &resources);
    let moved = module.add_global(0);
    let handles = Handles::Stub {
        resources: implemented,
        moved,
    };
    let mut generator = Generator::new(module, shapes, handles);
    for call in &calls {
        let made = generator.add_stub_function(host, call);
        let name = call.export_name(world, WasmExportKind::Normal);
        generator.module.export(&name, made);
        if call.result_in_memory(&generator.shapes).is_some() {
            let post_return = generator.function(Key::Helper(Helper::PostReturn));
            let name = call.export_name(world, WasmExportKind::PostReturn);
            generator.module.export(&name, post_return);
        }
    }
    for (interface, resource) in &resources {
        let destructor = generator.add_destructor(host, moved);
        let export = WasmExport::ResourceDtor {
            interface,
            resource: *resource,
        };
        let name = world.resolve.wasm_export_name(MANGLING, export);
        generator.module.export(&name, destructor);
    }
    Ok(generator.finish())
}

impl HostFunctions {
    fn import(module: &mut Module, world: &LinkWorld) -> Self {
        use ValType::{I32, I64};
        let mut import_for = |name: &str, parameters: &[ValType], results: &[ValType]| {
            let ty = FunctionType::new(parameters, results);
            module.import(&world.link_import(name), &ty)
        };
        let call_scalars = import_for("call-scalars", &[I32, I64, I64, I64, I64], &[I64]);
        let mut import = |name, parameters| import_for(name, parameters, &[]);
        // A list is a pointer and a length; the last word is the address of the result.
        Self {
            call: import("call", &[I32; 4]),
            call_small: import("call-small", &[I32, I32, I64, I64, I64, I64, I32]),
            call_scalars,
            drop: import("drop", &[I32]),
            malformed: import("malformed", &[I32; 3]),
        }
    }
}

fn import_intrinsics(
    module: &mut Module,
    world: &LinkWorld,
    resources: &[(WorldKey, TypeId)],
) -> Vec<ResourceIntrinsics> {
    let mut import = |interface: &WorldKey, resource: TypeId, intrinsic, ty: &FunctionType| {
        let import = WasmImport::ResourceIntrinsic {
            interface: Some(interface),
            resource,
            intrinsic,
        };
        module.import(&world.resolve.wasm_import_name(MANGLING, import), ty)
    };
    let (converts, drops) = (intrinsic::converts(), intrinsic::drops());
    let intrinsics = |(interface, resource): &(WorldKey, TypeId)| {
        let resource = *resource;
        ResourceIntrinsics {
            new: import(
                interface,
                resource,
                ResourceIntrinsic::ExportedNew,
                &converts,
            ),
            representation: import(
                interface,
                resource,
                ResourceIntrinsic::ExportedRep,
                &converts,
            ),
            drop: import(interface, resource, ResourceIntrinsic::ExportedDrop, &drops),
        }
    };
    resources.iter().map(intrinsics).collect()
}

impl Generator {
    /// Encodes the module, with the exports of every module.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let reallocate = self.function(Key::Helper(Helper::Reallocate));
        self.module.export("cabi_realloc", reallocate);
        self.make_all();
        self.module.finish()
    }

    /// The destructor of a resource: it notifies the other side, unless the resource moves there.
    fn add_destructor(&mut self, host: HostFunctions, moved: u32) -> Func {
        let number = 0;
        let mut code = Code::new(1);
        code.add().global_get(moved).i32_eqz();
        code.if_();
        code.add().local_get(number).call(host.drop.0);
        code.end();
        let func = self.module.declare(&FunctionType::words(1, 0));
        self.module.define(func, code.finish());
        func
    }

    fn add_stub_function(&mut self, host: HostFunctions, call: &Call<'_>) -> Func {
        let parameters = call.core_parameters(&self.shapes);
        let results: Vec<ValType> = match (call.flat_result(&self.shapes), call.result) {
            (Some(flat), _) => vec![flat.into()],
            (None, Some(_)) => vec![ValType::I32],
            (None, None) => Vec::new(),
        };
        let ty = FunctionType::new(&parameters, &results);
        let func = self.module.declare(&ty);
        let body = if call.is_scalars {
            make_scalars_function(&self.shapes, host, call)
        } else {
            self.make_stub_function(host, call)
        };
        self.module.define(func, body);
        func
    }

    fn make_stub_function(&mut self, host: HostFunctions, call: &Call<'_>) -> Body {
        let mut code = Code::new(call.core_parameters(&self.shapes).len());
        let p = code.local_i32();
        let source = match call.flat_parameters(&self.shapes) {
            Some(flat) => Source::Flat((0..).zip(flat.iter().copied()).collect()),
            None => Source::Memory {
                address: 0,
                offset: 0,
            },
        };
        code.add().global_get(global::TOP).local_set(p);
        let mut sink = Sink::new(p);
        self.encode(&mut code, &mut sink, call.parameters, &source);
        sink.flush(&mut code);
        send(&mut code, host, call, p);
        self.receive(&mut code, host, call);
        code.finish()
    }

    /// Decodes the reply and returns its value.
    fn receive(&mut self, code: &mut Code, host: HostFunctions, call: &Call<'_>) {
        let result = call.reply;
        let receive = self.index(Key::Receive(result));
        let reset = self.helper(Helper::Reset);
        let (area, error) = (code.local_i32(), code.local_i32());
        self.make_result_area(code, result, area);
        let received = code.block();
        code.add().local_get(area).call(receive).local_tee(error);
        code.add().i32_eqz();
        code.branch_if(received);
        let mut add = code.add();
        add.i32_const(call.index.cast_signed()).local_get(error);
        add.i32_const(RETURN_AREA).call(host.malformed.0);
        add.local_get(area).call(receive).i32_eqz();
        code.branch_if(received);
        code.add().unreachable();
        code.end();
        self.convert_handles(code, HandleConversion::Create, result, (area, 0));
        if let Some(flat) = call.flat_result(&self.shapes) {
            self.load_flat(code, result, (area, 0), &[flat]);
            code.add().call(reset);
        } else if call.result.is_some() {
            code.add().local_get(area);
        } else {
            code.add().call(reset);
        }
    }

    /// Sets `area` to the address of the result.
    pub(crate) fn make_result_area(&mut self, code: &mut Code, result: ShapeId, area: u32) {
        let layout = self.shapes.layout(result);
        let (size, align) = (layout.size, layout.align.cast_signed());
        if size <= RESULT_AREA_BYTES {
            code.add().i32_const(RESULT_AREA).local_set(area);
            return;
        }
        let allocate = self.helper(Helper::Allocate);
        let mut add = code.add();
        add.i32_const(size.cast_signed()).i32_const(align);
        add.call(allocate).local_tee(area).i32_eqz();
        code.if_();
        code.add().unreachable();
        code.end();
    }

    pub(crate) fn make_receive(&mut self, shape: ShapeId) -> Body {
        let area = 0;
        let decode = self.index(Key::Decode(shape));
        let mut code = Code::new(1);
        let (p, end) = (code.local_i32(), code.local_i32());
        let mut add = code.add();
        add.i32_const(RETURN_AREA)
            .i32_load8_u(byte_at(returned_bytes::IS_LIST));
        code.if_();
        let mut add = code.add();
        add.i32_const(RETURN_AREA)
            .i32_load(at(returned_bytes::LIST, 4));
        add.local_tee(p).i32_const(RETURN_AREA);
        add.i32_load(at(returned_bytes::LIST_LENGTH, 4));
        add.i32_add().local_set(end);
        code.else_();
        let mut add = code.add();
        add.i32_const(RETURN_AREA + returned_bytes::WORDS.cast_signed());
        add.local_tee(p).i32_const(RETURN_AREA);
        add.i32_load(at(returned_bytes::LENGTH, 4));
        add.i32_add().local_set(end);
        code.end();
        let mut add = code.add();
        add.local_get(p).local_get(end);
        add.local_get(area).call(decode).local_tee(p).i32_eqz();
        code.if_();
        code.add().global_get(global::ERROR).return_();
        code.end();
        let mut add = code.add();
        add.i32_const(Malformed::Trailing.number().cast_signed())
            .i32_const(0);
        add.local_get(p).local_get(end).i32_ne().select();
        code.finish()
    }
}

/// A stub function with scalar parameters and a scalar result.
fn make_scalars_function(shapes: &Shapes, host: HostFunctions, call: &Call<'_>) -> Body {
    let flat = call.flat_parameters(shapes).unwrap_or_default();
    let mut code = Code::new(flat.len());
    code.add().i32_const(call.index.cast_signed());
    for (parameter, flat) in (0..).zip(flat) {
        code.add().local_get(parameter);
        coerce(&mut code, *flat, Flat::I64);
    }
    for _ in flat.len()..MAX_SCALARS {
        code.add().i64_const(0);
    }
    code.add().call(host.call_scalars.0);
    match call.flat_result(shapes) {
        Some(flat) => coerce(&mut code, Flat::I64, flat),
        None => {
            code.add().drop();
        }
    }
    code.finish()
}

/// Passes the arguments, which end at `p`, to the host: in words if they are few.
fn send(code: &mut Code, host: HostFunctions, call: &Call<'_>, p: Local) {
    let index = call.index.cast_signed();
    let length = code.local_i32();
    let mut add = code.add();
    add.local_get(p).global_get(global::TOP).i32_sub();
    add.local_tee(length)
        .i32_const(MAX_INLINE_BYTES.cast_signed())
        .i32_le_u();
    code.if_();
    code.add().i32_const(index).local_get(length);
    // Encoded arguments are followed by enough slack to load all words; without any, the arena is
    // empty.
    for word in 0..INLINE_WORDS {
        code.add()
            .global_get(global::TOP)
            .i64_load(byte_at(8 * word));
    }
    let mut add = code.add();
    add.i32_const(RETURN_AREA).call(host.call_small.0);
    code.else_();
    let mut add = code.add();
    add.i32_const(index).global_get(global::TOP);
    // The host copies the arguments before it stores a reply, which may overwrite them.
    add.local_get(length)
        .i32_const(RETURN_AREA)
        .call(host.call.0);
    code.end();
    code.release(length);
}
