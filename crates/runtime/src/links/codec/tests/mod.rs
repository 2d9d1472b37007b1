//! The codec against wasmtime's types: random types with random values, and malformed bytes.

mod generated;

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, FutureAny, StreamAny, Type, Val};
use wasmtime::{Config, Engine};
use weft_wire::{MAX_VALUE_ELEMENTS, Problem, Scalar, SimpleType};

use super::{CodecError, FutureValue, Shape, StreamTransfer, decode, encode};

/// A type in the notation of the tests.
#[derive(Debug, Clone)]
enum Ty {
    Primitive(&'static str),
    List(Box<Ty>),
    Map(&'static str, Box<Ty>),
    Record(Vec<Ty>),
    Tuple(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(usize),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    Flags(usize),
}

const PRIMITIVES: [&str; 13] = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char", "string",
];

/// The types of keys of maps: all primitives but floats.
const KEYS: [&str; 11] = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "char", "string",
];

/// Rejects streams, which these tests do not transfer.
struct NoStreams;

impl StreamTransfer for NoStreams {
    fn give_stream(&mut self, _: &StreamAny, _: SimpleType) -> Result<u32, CodecError> {
        Err(CodecError::Transfer("no streams here"))
    }

    fn give_future(&mut self, _: &FutureAny, _: FutureValue) -> Result<u32, CodecError> {
        Err(CodecError::Transfer("no futures here"))
    }

    fn take_stream(&mut self, _: u32, _: SimpleType) -> Result<StreamAny, CodecError> {
        Err(CodecError::Transfer("no streams here"))
    }

    fn take_future(&mut self, _: u32, _: FutureValue) -> Result<FutureAny, CodecError> {
        Err(CodecError::Transfer("no futures here"))
    }
}

/// Writes a component with an import for each composite type, because types in a function's
/// signature need names.
#[derive(Default)]
struct Wat {
    text: String,
    types: usize,
}

impl Wat {
    fn named(&mut self, definition: &str) -> String {
        let number = self.types;
        self.types += 1;
        let _ = writeln!(
            self.text,
            "(type $d{number} {definition}) (import \"t{number}\" (type $t{number} (eq $d{number})))"
        );
        format!("$t{number}")
    }

    fn ty(&mut self, ty: &Ty) -> String {
        let definition = match ty {
            Ty::Primitive(name) => return (*name).to_owned(),
            Ty::List(element) => format!("(list {})", self.ty(element)),
            Ty::Map(key, value) => format!("(map {key} {})", self.ty(value)),
            Ty::Record(fields) => {
                let fields = fields.iter().enumerate();
                let fields =
                    fields.map(|(number, ty)| format!("(field \"f{number}\" {})", self.ty(ty)));
                format!("(record {})", fields.collect::<String>())
            }
            Ty::Tuple(members) => {
                let members = members.iter().map(|ty| self.ty(ty));
                format!("(tuple {})", members.collect::<Vec<_>>().join(" "))
            }
            Ty::Variant(cases) => {
                let cases = cases.iter().enumerate().map(|(number, ty)| {
                    let ty = ty.as_ref().map(|ty| self.ty(ty)).unwrap_or_default();
                    format!("(case \"c{number}\" {ty})")
                });
                format!("(variant {})", cases.collect::<String>())
            }
            Ty::Enum(count) => format!("(enum {})", labels('e', *count)),
            Ty::Flags(count) => format!("(flags {})", labels('b', *count)),
            Ty::Option(some) => format!("(option {})", self.ty(some)),
            Ty::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| self.ty(ty)).unwrap_or_default();
                let err = err.as_ref().map(|ty| format!("(error {})", self.ty(ty)));
                format!("(result {ok} {})", err.unwrap_or_default())
            }
        };
        self.named(&definition)
    }
}

fn labels(letter: char, count: usize) -> String {
    let labels = (0..count).map(|number| format!("\"{letter}{number}\" "));
    labels.collect()
}

/// The shape of a type, as wasmtime describes it.
fn shape(engine: &Engine, ty: &Ty) -> Shape {
    let mut wat = Wat::default();
    let ty = wat.ty(ty);
    let text = format!(
        "(component {} (import \"f\" (func (param \"p\" {ty}))))",
        wat.text
    );
    Shape::of(&parameter(engine, &text)).unwrap()
}

fn parameter(engine: &Engine, wat: &str) -> Type {
    let component = Component::new(engine, wat::parse_str(wat).unwrap()).unwrap();
    let described = component.component_type();
    let mut imports = described.imports(engine).collect::<Vec<_>>();
    let ComponentItem::ComponentFunc(function) = imports.pop().unwrap().1.ty else {
        panic!("the last import is a function");
    };
    function.params().next().unwrap().1
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.wasm_component_model_map(true);
    Engine::new(&config).unwrap()
}

fn types() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(&PRIMITIVES[..]).prop_map(Ty::Primitive),
        1 => (1..40_usize).prop_map(Ty::Enum),
        1 => (1..33_usize).prop_map(Ty::Flags),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let maybe = proptest::option::of(boxed.clone());
        prop_oneof![
            boxed.clone().prop_map(Ty::List),
            (proptest::sample::select(&KEYS[..]), boxed.clone())
                .prop_map(|(key, value)| Ty::Map(key, value)),
            vec(inner.clone(), 1..5).prop_map(Ty::Record),
            vec(inner.clone(), 1..5).prop_map(Ty::Tuple),
            vec(proptest::option::of(inner), 1..5).prop_map(Ty::Variant),
            boxed.prop_map(Ty::Option),
            (maybe.clone(), maybe).prop_map(|(ok, err)| Ty::Result(ok, err)),
        ]
    })
}

fn values(ty: &Ty) -> BoxedStrategy<Val> {
    match ty {
        Ty::Primitive(name) => primitives(name),
        Ty::List(element) => vec(values(element), 0..4).prop_map(Val::List).boxed(),
        // With keys that occur twice, in any order.
        Ty::Map(key, value) => vec((primitives(key), values(value)), 0..4)
            .prop_map(Val::Map)
            .boxed(),
        Ty::Record(fields) => {
            let fields: Vec<_> = fields.iter().map(values).collect();
            let named = |values: Vec<Val>| {
                let values = values.into_iter().enumerate();
                values
                    .map(|(number, value)| (format!("f{number}"), value))
                    .collect()
            };
            fields
                .prop_map(move |values| Val::Record(named(values)))
                .boxed()
        }
        Ty::Tuple(members) => {
            let members: Vec<_> = members.iter().map(values).collect();
            members.prop_map(Val::Tuple).boxed()
        }
        Ty::Variant(cases) => {
            let cases = cases.iter().enumerate().map(|(number, ty)| {
                let name = format!("c{number}");
                payloads(ty.as_ref())
                    .prop_map(move |payload| Val::Variant(name.clone(), payload))
                    .boxed()
            });
            proptest::strategy::Union::new(cases).boxed()
        }
        Ty::Enum(count) => (0..*count)
            .prop_map(|case| Val::Enum(format!("e{case}")))
            .boxed(),
        Ty::Flags(count) => {
            let flags: Vec<String> = (0..*count).map(|flag| format!("b{flag}")).collect();
            subsequence(flags, 0..=*count).prop_map(Val::Flags).boxed()
        }
        Ty::Option(some) => proptest::option::of(values(some).prop_map(Box::new))
            .prop_map(Val::Option)
            .boxed(),
        Ty::Result(ok, err) => prop_oneof![
            payloads(ok.as_deref()).prop_map(|value| Val::Result(Ok(value))),
            payloads(err.as_deref()).prop_map(|value| Val::Result(Err(value))),
        ]
        .boxed(),
    }
}

fn payloads(ty: Option<&Ty>) -> BoxedStrategy<Option<Box<Val>>> {
    match ty {
        None => Just(None).boxed(),
        Some(ty) => values(ty).prop_map(|value| Some(Box::new(value))).boxed(),
    }
}

fn primitives(name: &str) -> BoxedStrategy<Val> {
    match name {
        "bool" => any::<bool>().prop_map(Val::Bool).boxed(),
        "u8" => any::<u8>().prop_map(Val::U8).boxed(),
        "s8" => any::<i8>().prop_map(Val::S8).boxed(),
        "u16" => any::<u16>().prop_map(Val::U16).boxed(),
        "s16" => any::<i16>().prop_map(Val::S16).boxed(),
        "u32" => any::<u32>().prop_map(Val::U32).boxed(),
        "s32" => any::<i32>().prop_map(Val::S32).boxed(),
        "u64" => any::<u64>().prop_map(Val::U64).boxed(),
        "s64" => any::<i64>().prop_map(Val::S64).boxed(),
        "f32" => any::<u32>()
            .prop_map(|bits| Val::Float32(f32::from_bits(bits)))
            .boxed(),
        "f64" => any::<u64>()
            .prop_map(|bits| Val::Float64(f64::from_bits(bits)))
            .boxed(),
        "char" => any::<char>().prop_map(Val::Char).boxed(),
        "string" => ".{0,12}".prop_map(Val::String).boxed(),
        other => panic!("`{other}` is no primitive"),
    }
}

fn typed_values() -> impl Strategy<Value = (Ty, Val)> {
    types().prop_flat_map(|ty| {
        let values = values(&ty);
        (Just(ty), values)
    })
}

fn to_bytes(value: &Val, shape: &Shape) -> Result<Vec<u8>, CodecError> {
    encode(
        std::slice::from_ref(value),
        std::slice::from_ref(shape),
        &mut NoStreams,
    )
}

fn of_bytes(bytes: &[u8], shape: &Shape) -> Result<Val, CodecError> {
    let mut values = decode(bytes, std::slice::from_ref(shape), &mut NoStreams)?;
    assert_eq!(values.len(), 1);
    Ok(values.remove(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_value_of_any_type_comes_back_as_it_was((ty, value) in typed_values()) {
        let shape = shape(&engine(), &ty);
        let bytes = to_bytes(&value, &shape).unwrap();
        prop_assert_eq!(of_bytes(&bytes, &shape).unwrap(), value);
    }

    #[test]
    fn a_value_that_is_cut_short_is_refused((ty, value) in typed_values(), cut in any::<Index>()) {
        let shape = shape(&engine(), &ty);
        let bytes = to_bytes(&value, &shape).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(of_bytes(&bytes[..cut], &shape).is_err());
    }

    #[test]
    fn bytes_that_are_changed_are_refused_or_another_value(
        (ty, value) in typed_values(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let shape = shape(&engine(), &ty);
        let mut bytes = to_bytes(&value, &shape).unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(other) = of_bytes(&bytes, &shape) {
            let bytes = to_bytes(&other, &shape).unwrap();
            prop_assert_eq!(of_bytes(&bytes, &shape).unwrap(), other);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_a_value(ty in types(), bytes in vec(any::<u8>(), 0..200)) {
        let shape = shape(&engine(), &ty);
        // Must return without a panic.
        let _ = of_bytes(&bytes, &shape);
    }
}

/// Equality ignores the payload of a NaN.
#[test]
fn the_payload_of_a_nan_is_carried() {
    for bits in [0x7ff8_0000_0000_0001_u64, 0xfff4_dead_beef_0001] {
        let bytes = to_bytes(
            &Val::Float64(f64::from_bits(bits)),
            &Shape::Scalar(Scalar::F64),
        )
        .unwrap();
        assert_eq!(bytes, bits.to_le_bytes());
        let Val::Float64(value) = of_bytes(&bytes, &Shape::Scalar(Scalar::F64)).unwrap() else {
            panic!("a float is decoded as one");
        };
        assert_eq!(value.to_bits(), bits);
    }
}

#[test]
fn lengths_that_the_bytes_cannot_hold_are_refused_before_anything_is_allocated() {
    let engine = engine();
    let records = Ty::List(Box::new(Ty::Record(vec![Ty::Primitive("u8"); 4])));
    for ty in [
        Ty::Map("u8", Box::new(Ty::Primitive("u8"))),
        Ty::Primitive("string"),
        Ty::List(Box::new(Ty::Primitive("u8"))),
        records,
    ] {
        let error = of_bytes(&[0xff, 0xff, 0xff, 0xff, 0x0f], &shape(&engine, &ty)).unwrap_err();
        let CodecError::Decode(error) = error else {
            panic!("expected a refusal of the bytes, found {error}");
        };
        assert!(
            matches!(error.problem, Problem::Truncated { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_map_has_the_bytes_of_the_list_of_its_entries_in_their_order() {
    let engine = engine();
    let number = || Box::new(Ty::Primitive("u16"));
    let map = shape(&engine, &Ty::Map("string", number()));
    let entry = Ty::Tuple(vec![Ty::Primitive("string"), *number()]);
    let list = shape(&engine, &Ty::List(Box::new(entry)));
    let entry = |key: &str, value| (Val::String(key.into()), Val::U16(value));
    let entries = vec![entry("b", 2), entry("a", 300), entry("b", 2)];
    let value = Val::Map(entries.clone());
    let bytes = to_bytes(&value, &map).unwrap();
    assert_eq!(bytes, b"\x03\x01b\x02\x01a\xac\x02\x01b\x02");
    let tuples = entries
        .into_iter()
        .map(|(key, of)| Val::Tuple(vec![key, of]));
    let tuples = Val::List(tuples.collect());
    assert_eq!(bytes, to_bytes(&tuples, &list).unwrap());
    assert_eq!(of_bytes(&bytes, &map).unwrap(), value);
}

#[test]
fn values_larger_decoded_than_encoded_are_bounded() {
    // Lists of records: 3 bytes of each become some 400; and entries of maps: 2 bytes become 80.
    let record = Ty::Record(vec![Ty::Primitive("bool"); 3]);
    let map = Ty::Map("bool", Box::new(Ty::Primitive("bool")));
    for (ty, entry_bytes, charged) in [(Ty::List(Box::new(record)), 3, 4), (map, 2, 3)] {
        let shape = shape(&engine(), &ty);
        let count = MAX_VALUE_ELEMENTS / charged + 1;
        let mut bytes = Vec::new();
        let mut encoder = weft_wire::Encoder::new(&mut bytes, 10);
        encoder.u64(count).unwrap();
        bytes.resize(bytes.len() + entry_bytes * count as usize, 1);
        let CodecError::Decode(error) = of_bytes(&bytes, &shape).unwrap_err() else {
            panic!("expected a refusal of the bytes");
        };
        assert!(matches!(error.problem, Problem::Elements { .. }), "{error}");
    }
}

#[test]
fn values_of_other_types_are_refused_by_name() {
    let engine = engine();
    let record = Ty::Record(vec![Ty::Primitive("u8"), Ty::Primitive("u8")]);
    let field = |name: &str| (name.to_owned(), Val::U8(1));
    let cases = [
        (Ty::Primitive("u8"), Val::U16(1), "a `u8`"),
        (Ty::Primitive("char"), Val::String("x".into()), "a `char`"),
        (
            Ty::List(Box::new(Ty::Primitive("u8"))),
            Val::Tuple(vec![]),
            "a `list`",
        ),
        (
            Ty::Map("u8", Box::new(Ty::Primitive("u8"))),
            Val::List(vec![]),
            "a `map`",
        ),
        (
            Ty::Map("u8", Box::new(Ty::Primitive("u8"))),
            Val::Map(vec![(Val::U16(1), Val::U8(1))]),
            "a `u8`",
        ),
        (Ty::Enum(2), Val::Enum("e2".into()), "a case of the type"),
        (
            Ty::Flags(2),
            Val::Flags(vec!["b2".into()]),
            "a flag of the type",
        ),
        (
            Ty::Option(Box::new(Ty::Primitive("u8"))),
            Val::U8(1),
            "an `option`",
        ),
        (
            record.clone(),
            Val::Record(vec![field("f1"), field("f0")]),
            "in their order",
        ),
        (
            record,
            Val::Record(vec![field("f0")]),
            "expected 2 values, found 1",
        ),
        (
            Ty::Result(None, None),
            Val::Result(Ok(Some(Box::new(Val::U8(1))))),
            "without a payload",
        ),
        (
            Ty::Variant(vec![Some(Ty::Primitive("u8"))]),
            Val::Variant("c0".into(), None),
            "with a payload",
        ),
    ];
    for (ty, value, expected) in cases {
        let error = to_bytes(&value, &shape(&engine, &ty))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn types_that_links_do_not_carry_are_refused_by_name() {
    let engine = engine();
    let cases = [
        (
            "(import \"r\" (type $r (sub resource)))",
            "(own $r)",
            "a resource",
        ),
        (
            "(type $s (stream (list u32)))",
            "$s",
            "a stream of unsupported elements",
        ),
        (
            "(type $s (stream))",
            "$s",
            "a stream of unsupported elements",
        ),
        (
            "(type $f (future (option u8)))",
            "$f",
            "a future of an unsupported type",
        ),
    ];
    for (types, ty, expected) in cases {
        let text = format!("(component {types} (import \"f\" (func (param \"p\" {ty}))))");
        let error = Shape::of(&parameter(&engine, &text))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn streams_and_futures_have_the_elements_that_links_carry() {
    let engine = engine();
    let future = |value| Shape::Future(value);
    let cases = [
        ("(stream u8)", Shape::Stream(Scalar::U8.into())),
        ("(stream string)", Shape::Stream(SimpleType::String)),
        ("(stream (list u8))", Shape::Stream(SimpleType::Bytes)),
        (
            "(future f64)",
            future(FutureValue::Plain(Scalar::F64.into())),
        ),
        (
            "(future (result (error string)))",
            future(FutureValue::Fallible(None)),
        ),
        (
            "(future (result u32 (error string)))",
            future(FutureValue::Fallible(Some(Scalar::U32.into()))),
        ),
    ];
    for (ty, expected) in cases {
        let text = format!("(component (type $t {ty}) (import \"f\" (func (param \"p\" $t))))");
        assert_eq!(Shape::of(&parameter(&engine, &text)).unwrap(), expected);
    }
}
