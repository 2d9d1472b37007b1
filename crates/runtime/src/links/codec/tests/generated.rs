//! Generated stubs and skeletons against the codec: for random types and values both produce and
//! accept the same bytes, so that either can be at the other end of a link.

use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wasmtime::component::{Component, Func, Instance, Linker, Type, Val};
use wasmtime::{Config, Engine, Store};
use weft_stub::plan::{CallPath, ComponentWorld};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use super::super::{CodecError, Shape, decode, encode};
use super::{NoStreams, PRIMITIVES, Ty, primitives, to_bytes, typed_values};
use crate::links::inline_bytes::{FlatReply, InlineBytes, Reply};
use crate::links::{CALL_INTERFACE, SERVE_INTERFACE};

const API: &str = "t:t/api";
const FUNCTION: &str = "f";

/// The result of a function: its arguments, several of them as a tuple.
#[derive(Clone, Copy)]
enum Returns {
    All,
    Last,
}

/// Writes an interface with one function that returns its arguments.
#[derive(Default)]
struct Wit {
    definitions: String,
    types: usize,
}

impl Wit {
    fn interface(types: &[Ty], returns: Returns) -> String {
        let mut wit = Self::default();
        let names: Vec<_> = types.iter().map(|ty| wit.ty(ty)).collect();
        let parameters = numbered(names.iter(), |number, name| format!("p{number}: {name}"));
        let result = match (&names[..], returns) {
            ([only], _) | ([.., only], Returns::Last) => only.clone(),
            (several, _) => format!("tuple<{}>", several.join(", ")),
        };
        let definitions = wit.definitions;
        format!(
            "package t:t;\ninterface api {{\n{definitions}  {FUNCTION}: func({parameters}) -> {result};\n}}\n\
             world importer {{ import api; }}\nworld exporter {{ export api; }}\n"
        )
    }

    fn named(&mut self, kind: &str, members: &str) -> String {
        let name = format!("t{}", self.types);
        self.types += 1;
        self.definitions += &format!("  {kind} {name} {{ {members} }}\n");
        name
    }

    fn ty(&mut self, ty: &Ty) -> String {
        match ty {
            Ty::Primitive(name) => (*name).to_owned(),
            Ty::List(element) => format!("list<{}>", self.ty(element)),
            Ty::Map(key, value) => format!("map<{key}, {}>", self.ty(value)),
            Ty::Record(fields) => {
                let fields = numbered(fields.iter(), |number, ty| {
                    format!("f{number}: {}", self.ty(ty))
                });
                self.named("record", &fields)
            }
            Ty::Tuple(members) => {
                let members: Vec<_> = members.iter().map(|ty| self.ty(ty)).collect();
                format!("tuple<{}>", members.join(", "))
            }
            Ty::Variant(cases) => {
                let cases = numbered(cases.iter(), |number, ty| match ty {
                    Some(ty) => format!("c{number}({})", self.ty(ty)),
                    None => format!("c{number}"),
                });
                self.named("variant", &cases)
            }
            Ty::Enum(count) => {
                let cases = numbered(0..*count, |number, _| format!("e{number}"));
                self.named("enum", &cases)
            }
            Ty::Flags(count) => {
                let flags = numbered(0..*count, |number, _| format!("b{number}"));
                self.named("flags", &flags)
            }
            Ty::Option(some) => format!("option<{}>", self.ty(some)),
            Ty::Result(None, None) => "result".to_owned(),
            Ty::Result(Some(ok), None) => format!("result<{}>", self.ty(ok)),
            Ty::Result(ok, Some(err)) => {
                let ok = ok.as_ref().map_or("_".to_owned(), |ok| self.ty(ok));
                format!("result<{ok}, {}>", self.ty(err))
            }
        }
    }
}

fn numbered<T>(
    members: impl Iterator<Item = T>,
    mut member: impl FnMut(usize, T) -> String,
) -> String {
    let members = members.enumerate();
    let members: Vec<_> = members.map(|(number, of)| member(number, of)).collect();
    members.join(", ")
}

/// The interfaces of a component of a world, with functions that trap.
fn view(wit: &str, world: &str) -> ComponentWorld {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit);
    let package = package.unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.module(&module).unwrap();
    ComponentWorld::of(&encoder.encode().unwrap()).unwrap()
}

/// A generated component in a store of its own, between dynamic functions.
struct Generated {
    store: Store<()>,
    instance: Instance,
}

impl Generated {
    fn new(engine: &Engine, bytes: &[u8], linker: &Linker<()>) -> Self {
        let component = Component::new(engine, bytes).unwrap();
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate(&mut store, &component).unwrap();
        Self { store, instance }
    }

    fn function(&mut self, interface: &str, name: &str) -> Func {
        let Self { store, instance } = self;
        let interface = instance.get_export_index(&mut *store, None, interface);
        let function = instance.get_export_index(&mut *store, interface.as_ref(), name);
        instance.get_func(store, function.unwrap()).unwrap()
    }
}

/// A stub that calls a skeleton with an export that returns its arguments.
struct Link {
    stub: Generated,
    skeleton: Arc<Mutex<Generated>>,
    /// The encoded arguments of the last call; `None` after a call of scalars.
    sent: Arc<Mutex<Option<Vec<u8>>>>,
    /// True for a function of inline scalars.
    is_scalars: bool,
    /// The codec's shapes of the parameters.
    shapes: Vec<Shape>,
}

impl Link {
    fn new(types: &[Ty], returns: Returns) -> Self {
        let mut config = Config::new();
        config.concurrency_support(false);
        config.wasm_component_model_map(true);
        let engine = Engine::new(&config).unwrap();
        let wit = Wit::interface(types, returns);
        let never = &|_: &_| false;
        let stub = weft_stub::stub(&view(&wit, "importer"), &[API], never).unwrap();
        let path = &stub.plan.find(API, FUNCTION).unwrap().path;
        let is_scalars = matches!(path, CallPath::Scalars(_));
        let skeleton = weft_stub::skeleton(&view(&wit, "exporter"), &[API], never).unwrap();

        let mut linker = Linker::new(&engine);
        let mut api = linker.instance(API).unwrap();
        let echo = move |_: wasmtime::StoreContextMut<'_, ()>,
                         _,
                         arguments: &[Val],
                         results: &mut [Val]| {
            results[0] = back(arguments, returns);
            Ok(())
        };
        api.func_new(FUNCTION, echo).unwrap();
        let skeleton = Generated::new(&engine, &skeleton.bytes.unwrap(), &linker);
        let skeleton = Arc::new(Mutex::new(skeleton));

        let sent = Arc::new(Mutex::new(None));
        let mut linker = Linker::new(&engine);
        let mut call = linker.instance(CALL_INTERFACE).unwrap();
        let (to, record) = (skeleton.clone(), sent.clone());
        let forward = Arc::new(move |index: u32, arguments: Vec<u8>| {
            let reply = invoke(&mut to.lock().unwrap(), index, &arguments);
            *record.lock().unwrap() = Some(arguments);
            let reason = |reason: u32| wasmtime::Error::msg(format!("refused for {reason}"));
            Ok((Reply::from(reply.map_err(reason)?).into_flat(),))
        });
        let forward_small = forward.clone();
        call.func_wrap("call", move |_, (index, arguments)| {
            forward(index, arguments)
        })
        .unwrap();
        call.func_wrap("call-small", move |_, (index, length, a, b, c, d)| {
            forward_small(
                index,
                InlineBytes::from_flat((length, a, b, c, d))?.to_vec(),
            )
        })
        .unwrap();
        let to = skeleton.clone();
        call.func_wrap("call-scalars", move |_, call| {
            Ok((invoke_scalars(&mut to.lock().unwrap(), call),))
        })
        .unwrap();
        call.func_wrap("drop", |_, (_,): (u32,)| Ok(())).unwrap();
        let malformed = |_: wasmtime::StoreContextMut<'_, ()>, (_, reason): (u32, u32)| {
            let error = format!("the reply is malformed for {reason}");
            Err::<(FlatReply<Vec<u8>>,), _>(wasmtime::Error::msg(error))
        };
        call.func_wrap("malformed", malformed).unwrap();
        let mut stub = Generated::new(&engine, &stub.bytes.unwrap(), &linker);

        let function = stub.function(API, FUNCTION).ty(&stub.store);
        let shapes = function.params().map(|(_, ty): (_, Type)| Shape::of(&ty));
        let shapes = shapes.collect::<Result<_, _>>().unwrap();
        Self {
            stub,
            skeleton,
            sent,
            is_scalars,
            shapes,
        }
    }

    /// The result of the function through stub and skeleton.
    fn call(&mut self, arguments: &[Val]) -> Val {
        let function = self.stub.function(API, FUNCTION);
        let mut results = [Val::Bool(false)];
        let called = function.call(&mut self.stub.store, arguments, &mut results);
        called.unwrap_or_else(|error| panic!("{error:?}: {arguments:?}"));
        let [result] = results;
        result
    }

    fn encode(&self, values: &[Val]) -> Vec<u8> {
        encode(values, &self.shapes, &mut NoStreams).unwrap()
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<Val>, CodecError> {
        decode(bytes, &self.shapes, &mut NoStreams)
    }
}

fn back(arguments: &[Val], returns: Returns) -> Val {
    match (arguments, returns) {
        ([only], _) | ([.., only], Returns::Last) => only.clone(),
        (several, _) => Val::Tuple(several.to_vec()),
    }
}

/// The skeleton's reply to encoded arguments, or the code of a decode error. It must not trap.
fn invoke(skeleton: &mut Generated, index: u32, arguments: &[u8]) -> Result<Vec<u8>, u32> {
    type InvokeResult = (Result<FlatReply<Vec<u8>>, u32>,);
    type Small = (u32, u32, u64, u64, u64, u64);
    let result = if let Some(inline) = InlineBytes::new(arguments) {
        let invoke = skeleton.function(SERVE_INTERFACE, "invoke-small");
        let invoke = invoke
            .typed::<Small, InvokeResult>(&skeleton.store)
            .unwrap();
        let (length, a, b, c, d) = inline.to_flat();
        invoke.call(&mut skeleton.store, (index, length, a, b, c, d))
    } else {
        let invoke = skeleton.function(SERVE_INTERFACE, "invoke");
        let invoke = invoke.typed::<(u32, &[u8]), InvokeResult>(&skeleton.store);
        let invoke = invoke.unwrap();
        invoke.call(&mut skeleton.store, (index, arguments))
    };
    let (length, a, b, c, d, list) = result.unwrap().0?;
    Ok(list.unwrap_or_else(|| {
        InlineBytes::from_flat((length, a, b, c, d))
            .unwrap()
            .to_vec()
    }))
}

/// Index of a function, and the words of its arguments.
type Scalars = (u32, u64, u64, u64, u64);

fn invoke_scalars(skeleton: &mut Generated, call: Scalars) -> u64 {
    let invoke = skeleton.function(SERVE_INTERFACE, "invoke-scalars");
    let invoke = invoke.typed::<Scalars, (u64,)>(&skeleton.store).unwrap();
    invoke.call(&mut skeleton.store, call).unwrap().0
}

fn typed_scalars() -> impl Strategy<Value = (Ty, Val)> {
    let scalars: Vec<_> = PRIMITIVES
        .into_iter()
        .filter(|name| *name != "string")
        .collect();
    let scalar = proptest::sample::select(scalars);
    scalar.prop_flat_map(|name| (Just(Ty::Primitive(name)), primitives(name)))
}

/// With `in_tuple`, all values but the last as one tuple; the last gives the result.
fn grouped<T: Clone>(parameters: &[T], in_tuple: bool, tuple: fn(Vec<T>) -> T) -> Vec<T> {
    match parameters {
        [first @ .., last] if in_tuple && !first.is_empty() => {
            vec![tuple(first.to_vec()), last.clone()]
        }
        parameters => parameters.to_vec(),
    }
}

fn parameters() -> impl Strategy<Value = (Vec<Ty>, Vec<Val>)> {
    // Most functions have inline parameters; many exceed the flat form.
    let count = prop_oneof![4 => 1..4_usize, 1 => 17..20_usize];
    count
        .prop_flat_map(|count| vec(typed_values(), count))
        .prop_map(|values| values.into_iter().unzip())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_stub_sends_the_bytes_of_the_codec_and_values_come_back_as_they_were(
        (types, values) in parameters(),
    ) {
        let mut link = Link::new(&types, Returns::All);
        let result = link.call(&values);
        let sent = link.sent.lock().unwrap().take();
        prop_assert_eq!(sent, (!link.is_scalars).then(|| link.encode(&values)));
        // Compared as bytes, which distinguish NaNs.
        let results = match result {
            Val::Tuple(results) if values.len() > 1 => results,
            only => vec![only],
        };
        prop_assert_eq!(link.encode(&results), link.encode(&values));
    }

    #[test]
    fn scalars_cross_as_they_were_whatever_they_are_beside(
        typed in vec(typed_scalars(), 1..=4),
        in_tuple in any::<bool>(),
    ) {
        let (types, values): (Vec<_>, Vec<_>) = typed.into_iter().unzip();
        let mut link = Link::new(&grouped(&types, in_tuple, Ty::Tuple), Returns::Last);
        prop_assert!(link.is_scalars);
        let arguments = grouped(&values, in_tuple, Val::Tuple);
        let result = link.call(&arguments);
        // Compared as bytes, which distinguish NaNs.
        let shape = link.shapes.pop().unwrap();
        let last = values.last().unwrap();
        prop_assert_eq!(to_bytes(&result, &shape).unwrap(), to_bytes(last, &shape).unwrap());
        prop_assert!(link.sent.lock().unwrap().is_none());
    }

    #[test]
    fn a_skeleton_accepts_and_rejects_the_same_bytes_as_the_codec(
        (types, values) in parameters(),
        changes in vec(vec((any::<Index>(), any::<u8>()), 1..3), 20),
        cuts in vec(any::<Index>(), 4),
    ) {
        let link = Link::new(&types, Returns::All);
        let sound = link.encode(&values);
        let changed = changes.iter().map(|changes| {
            let mut bytes = sound.clone();
            for (place, byte) in changes {
                // At the end: one more byte.
                match place.index(sound.len() + 1) {
                    end if end == bytes.len() => bytes.push(*byte),
                    place => bytes[place] = *byte,
                }
            }
            bytes
        });
        let cut = cuts.iter().map(|cut| sound[..cut.index(sound.len().max(1))].to_vec());
        for bytes in changed.chain(cut) {
            let answer = invoke(&mut link.skeleton.lock().unwrap(), 0, &bytes);
            match (answer, link.decode(&bytes)) {
                (Ok(answer), Ok(values)) => prop_assert_eq!(answer, link.encode(&values)),
                (Err(_), Err(_)) => {}
                (answer, decoded) => prop_assert!(
                    false,
                    "the skeleton answers {answer:?} to {bytes:?}, the codec finds {decoded:?}"
                ),
            }
        }
    }
}
