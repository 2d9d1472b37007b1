//! A second implementation of the mapping, over trees of values: random types, random values of
//! them, their value bytes, and their JSON in every form that a body can have.

use weft_json::{Int64, Kind, Settings, Type};
use weft_wire::{Encoder, MAX_VALUE_BYTES, Scalar};

/// A generator of numbers (splitmix64).
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a `usize`")
    }

    fn is_one_of(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const SCALARS: [&str; 12] = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char",
];
const KEYS: [&str; 11] = [
    "string", "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "char",
];

/// A random type in WIT, with the definitions that it needs.
#[derive(Default)]
pub(crate) struct RandomType {
    pub(crate) definitions: String,
    count: usize,
}

impl RandomType {
    pub(crate) fn ty(&mut self, random: &mut Random, depth: usize) -> String {
        if depth == 0 || random.is_one_of(4) {
            return match random.below(15) {
                12 => "string".to_owned(),
                13 => "list<u8>".to_owned(),
                14 => self.define("enum", &members(1 + random.below(5), |n| format!("e-{n}x"))),
                scalar => SCALARS[scalar].to_owned(),
            };
        }
        let depth = depth - 1;
        match random.below(9) {
            0 => format!("list<{}>", self.ty(random, depth)),
            1 => format!("option<{}>", self.ty(random, depth)),
            2 => format!("option<option<{}>>", self.ty(random, depth)),
            3 => {
                let members = members(1 + random.below(3), |_| self.ty(random, depth));
                format!("tuple<{members}>")
            }
            4 => {
                let sides = [random.below(2), random.below(2)];
                match sides.map(|side| (side == 1).then(|| self.ty(random, depth))) {
                    [None, None] => "result".to_owned(),
                    [Some(ok), None] => format!("result<{ok}>"),
                    [ok, Some(err)] => format!("result<{}, {err}>", ok.unwrap_or("_".to_owned())),
                }
            }
            5 => format!(
                "map<{}, {}>",
                KEYS[random.below(11)],
                self.ty(random, depth)
            ),
            6 => {
                let count = 1 + random.below(5);
                let fields = members(count, |n| format!("a-field{n}: {}", self.ty(random, depth)));
                self.define("record", &fields)
            }
            7 => {
                let cases = members(1 + random.below(4), |n| match random.below(3) {
                    0 => format!("a-case{n}"),
                    _ => format!("a-case{n}({})", self.ty(random, depth)),
                });
                self.define("variant", &cases)
            }
            _ => {
                let flags = members(1 + random.below(20), |n| format!("is-b{n}"));
                self.define("flags", &flags)
            }
        }
    }

    fn define(&mut self, kind: &str, members: &str) -> String {
        let name = format!("t{}", self.count);
        self.count += 1;
        self.definitions += &format!("{kind} {name} {{ {members} }}\n");
        name
    }
}

fn members(count: usize, mut member: impl FnMut(usize) -> String) -> String {
    let members: Vec<_> = (0..count).map(&mut member).collect();
    members.join(", ")
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Integer(i128),
    Single(f32),
    Double(f64),
    Char(char),
    Text(String),
    Bytes(Vec<u8>),
    /// A list or a tuple.
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Record(Vec<Value>),
    /// A variant, a result or an option.
    Case(usize, Option<Box<Value>>),
    Enum(usize),
    Flags(Vec<bool>),
}

/// The range of an integer type.
fn bounds(scalar: Scalar) -> (i128, i128) {
    let bits = 8 * scalar.bytes();
    match scalar.is_signed() {
        true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    }
}

impl Value {
    pub(crate) fn random(ty: &Type, random: &mut Random) -> Self {
        let mut some = |ty: &Type| Some(Box::new(Self::random(ty, random)));
        match ty.kind() {
            Kind::Scalar(scalar) => Self::scalar(*scalar, random),
            Kind::String => Self::Text(text(random)),
            Kind::Bytes => {
                let length = random.below(9);
                Self::Bytes((0..length).map(|_| random.next() as u8).collect())
            }
            Kind::List(element) => {
                let length = match random.below(40) {
                    0 => 200,
                    _ => random.below(4),
                };
                Self::List((0..length).map(|_| Self::random(element, random)).collect())
            }
            Kind::Map { key, value } => {
                let mut pairs: Vec<(Self, Self)> = Vec::new();
                for _ in 0..random.below(5) {
                    let key = Self::random(key, random);
                    if pairs.iter().all(|(other, _)| *other != key) {
                        pairs.push((key, Self::random(value, random)));
                    }
                }
                Self::Map(pairs)
            }
            Kind::Record(fields) => {
                let fields = fields.iter().map(|field| Self::random(&field.ty, random));
                Self::Record(fields.collect())
            }
            Kind::Tuple(members) => {
                Self::List(members.iter().map(|ty| Self::random(ty, random)).collect())
            }
            Kind::Variant(cases) => {
                let index = random.below(cases.len());
                let payload = cases[index].ty.as_ref();
                Self::Case(index, payload.map(|ty| Box::new(Self::random(ty, random))))
            }
            Kind::Enum(cases) => Self::Enum(random.below(cases.len())),
            Kind::Option(ty) => match some(ty) {
                some if random.is_one_of(2) => Self::Case(1, some),
                _ => Self::Case(0, None),
            },
            Kind::Result { ok, err } => match random.below(2) {
                0 => Self::Case(0, ok.as_ref().map(|ty| Box::new(Self::random(ty, random)))),
                _ => Self::Case(1, err.as_ref().map(|ty| Box::new(Self::random(ty, random)))),
            },
            Kind::Flags(flags) => Self::Flags(flags.iter().map(|_| random.is_one_of(2)).collect()),
            other => panic!("{other:?} has no values"),
        }
    }

    fn scalar(scalar: Scalar, random: &mut Random) -> Self {
        match scalar {
            Scalar::Bool => Self::Bool(random.is_one_of(2)),
            Scalar::Char => Self::Char(letter(random)),
            Scalar::F32 => Self::Single(match random.below(8) {
                0 => f32::NAN,
                1 => [f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0][random.below(4)],
                2 => random.below(1000) as f32,
                3 => f32::MIN_POSITIVE / 2_f32.powi(random.below(20) as i32),
                _ => Some(f32::from_bits(random.next() as u32))
                    .filter(|value| !value.is_nan())
                    .unwrap_or(f32::MAX),
            }),
            Scalar::F64 => Self::Double(match random.below(8) {
                0 => f64::NAN,
                1 => [f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0][random.below(4)],
                2 => random.below(1000) as f64,
                3 => f64::MIN_POSITIVE / 2_f64.powi(random.below(50) as i32),
                _ => Some(f64::from_bits(random.next()))
                    .filter(|value| !value.is_nan())
                    .unwrap_or(f64::MAX),
            }),
            integer => {
                let (min, max) = bounds(integer);
                Self::Integer(match random.below(4) {
                    0 => min,
                    1 => max,
                    2 => i128::from(random.next() % 100).min(max),
                    _ => min + i128::from(random.next()) % (max - min + 1),
                })
            }
        }
    }

    /// The value bytes.
    pub(crate) fn wire(&self, ty: &Type) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(ty, &mut Encoder::new(&mut bytes, MAX_VALUE_BYTES));
        bytes
    }

    fn encode(&self, ty: &Type, encoder: &mut Encoder<'_>) {
        let written = match (self, ty.kind()) {
            (Self::Bool(value), _) => encoder.bool(*value),
            (Self::Integer(value), Kind::Scalar(scalar)) => match scalar {
                Scalar::U8 => encoder.u8(u8::try_from(*value).expect("a `u8`")),
                Scalar::S8 => encoder.s8(i8::try_from(*value).expect("an `s8`")),
                signed if signed.is_signed() => encoder.s64(i64::try_from(*value).expect("signed")),
                _ => encoder.u64(u64::try_from(*value).expect("unsigned")),
            },
            (Self::Single(value), _) => encoder.f32(*value),
            (Self::Double(value), _) => encoder.f64(*value),
            (Self::Char(value), _) => encoder.char(*value),
            (Self::Text(value), _) => encoder.string(value),
            (Self::Bytes(value), _) => encoder.bytes(value),
            (Self::List(values), Kind::List(element)) => {
                encoder.list(values.len()).expect("a list");
                values
                    .iter()
                    .for_each(|value| value.encode(element, encoder));
                Ok(())
            }
            (Self::List(values), Kind::Tuple(members)) => {
                let pairs = values.iter().zip(members);
                pairs.for_each(|(value, member)| value.encode(member, encoder));
                Ok(())
            }
            (Self::Map(pairs), Kind::Map { key, value }) => {
                encoder.list(pairs.len()).expect("a list");
                for (of_key, of_value) in pairs {
                    of_key.encode(key, encoder);
                    of_value.encode(value, encoder);
                }
                Ok(())
            }
            (Self::Record(values), Kind::Record(fields)) => {
                let pairs = values.iter().zip(fields);
                pairs.for_each(|(value, field)| value.encode(&field.ty, encoder));
                Ok(())
            }
            (Self::Case(index, payload), kind) => {
                encoder.list(*index).expect("a discriminant");
                if let Some(payload) = payload {
                    payload.encode(payload_type(kind, *index), encoder);
                }
                Ok(())
            }
            (Self::Enum(index), _) => encoder.list(*index),
            (Self::Flags(values), _) => {
                let set = values.iter().enumerate().filter(|(_, is_set)| **is_set);
                encoder.flags(values.len(), set.map(|(index, _)| index))
            }
            other => panic!("{other:?} do not match"),
        };
        written.expect("a value within the limit");
    }

    /// The JSON that the encoder writes.
    pub(crate) fn json(&self, ty: &Type, settings: Settings) -> String {
        Json::new(settings, None).value(self, ty)
    }

    /// The same value in another form that a body can have.
    pub(crate) fn any_json(&self, ty: &Type, settings: Settings, random: &mut Random) -> String {
        Json::new(settings, Some(random.clone())).value(self, ty)
    }

    /// The value that `jco` gives to JavaScript, as an expression.
    pub(crate) fn javascript(&self, ty: &Type) -> String {
        let mut json = Json::new(Settings::default(), None);
        json.is_javascript = true;
        json.value(self, ty)
    }
}

fn payload_type(kind: &Kind, index: usize) -> &Type {
    match (kind, index) {
        (Kind::Variant(cases), index) => cases[index].ty.as_ref(),
        (Kind::Result { ok, .. }, 0) => ok.as_ref(),
        (Kind::Result { err, .. }, _) => err.as_ref(),
        (Kind::Option(some), _) => Some(some),
        _ => None,
    }
    .expect("a payload")
}

fn letter(random: &mut Random) -> char {
    const LETTERS: [char; 12] = [
        'a',
        '"',
        '\\',
        '\n',
        '\u{0}',
        '\u{1f}',
        '\u{7f}',
        'é',
        '€',
        '\u{2028}',
        '😀',
        '\u{10ffff}',
    ];
    match random.below(2) {
        0 => LETTERS[random.below(12)],
        _ => char::from_u32(random.next() as u32 % 0x11_0000).unwrap_or('/'),
    }
}

fn text(random: &mut Random) -> String {
    let length = random.below(6);
    (0..length).map(|_| letter(random)).collect()
}

/// A writer of JSON, in the form of the encoder or in a random one; or of JavaScript.
struct Json {
    settings: Settings,
    random: Option<Random>,
    is_javascript: bool,
}

impl Json {
    fn new(settings: Settings, random: Option<Random>) -> Self {
        Self {
            settings,
            random,
            is_javascript: false,
        }
    }

    /// True sometimes, if the form is random.
    fn is_other(&mut self) -> bool {
        self.random
            .as_mut()
            .is_some_and(|random| random.is_one_of(3))
    }

    fn space(&mut self) -> &'static str {
        match self.is_other() {
            true => {
                [" ", "\n", "\t\r\n "][self.random.as_mut().map_or(0, |random| random.below(3))]
            }
            false => "",
        }
    }

    fn value(&mut self, value: &Value, ty: &Type) -> String {
        let text = self.bare(value, ty);
        format!("{}{text}{}", self.space(), self.space())
    }

    fn bare(&mut self, value: &Value, ty: &Type) -> String {
        match (value, ty.kind()) {
            (Value::Bool(value), _) => value.to_string(),
            (Value::Integer(value), Kind::Scalar(scalar)) => self.integer(*value, *scalar),
            (Value::Single(value), _) => self.float(f64::from(*value), format!("{value:?}")),
            (Value::Double(value), _) => self.float(*value, format!("{value:?}")),
            (Value::Char(value), _) => self.quoted(&value.to_string()),
            (Value::Text(value), _) => self.quoted(value),
            (Value::Bytes(value), _) if self.is_javascript => {
                format!("new Uint8Array({value:?})")
            }
            (Value::Bytes(value), _) => self.quoted(&base64(value)),
            (Value::List(values), Kind::List(element)) => {
                let values: Vec<_> = values
                    .iter()
                    .map(|value| self.value(value, element))
                    .collect();
                format!("[{}]", values.join(","))
            }
            (Value::List(values), Kind::Tuple(members)) => {
                let pairs = values.iter().zip(members);
                let values: Vec<_> = pairs.map(|(value, ty)| self.value(value, ty)).collect();
                format!("[{}]", values.join(","))
            }
            (Value::Map(pairs), Kind::Map { key, value }) => {
                let pairs = pairs.iter().map(|(of_key, of_value)| {
                    let key = match of_key {
                        Value::Integer(value) => value.to_string(),
                        Value::Bool(value) => value.to_string(),
                        Value::Char(value) => value.to_string(),
                        Value::Text(text) => text.clone(),
                        other => panic!("{other:?} is no key of {key:?}"),
                    };
                    (key, Some(self.value(of_value, value)))
                });
                let pairs = pairs.collect();
                self.members(pairs)
            }
            (Value::Record(values), Kind::Record(fields)) => {
                let pairs = values.iter().zip(fields).map(|(value, field)| {
                    let key = field.name.key(self.settings.names).to_owned();
                    (key, self.optional(value, &field.ty))
                });
                let pairs = pairs.collect();
                self.shuffled(pairs)
            }
            (Value::Flags(values), Kind::Flags(flags)) => {
                let pairs = values.iter().zip(flags).map(|(value, flag)| {
                    let key = flag.name.key(self.settings.names).to_owned();
                    let is_absent = !value && self.is_other();
                    (key, (!is_absent).then(|| value.to_string()))
                });
                let pairs = pairs.collect();
                self.shuffled(pairs)
            }
            (Value::Enum(index), Kind::Enum(cases)) => self.quoted(&cases[*index].name),
            (Value::Case(index, payload), Kind::Option(some)) if some.optional().is_none() => {
                match payload {
                    Some(value) => self.bare(value, some),
                    None => {
                        assert_eq!(*index, 0);
                        "null".to_owned()
                    }
                }
            }
            (Value::Case(index, payload), kind) => {
                let tag = match kind {
                    Kind::Variant(cases) => cases[*index].name.as_str(),
                    Kind::Option(_) => ["none", "some"][*index],
                    _ => ["ok", "err"][*index],
                };
                let mut pairs = vec![("tag".to_owned(), Some(self.quoted(tag)))];
                if let Some(value) = payload {
                    let ty = payload_type(kind, *index);
                    pairs.push(("val".to_owned(), self.optional(value, ty)));
                }
                self.shuffled(pairs)
            }
            other => panic!("{other:?} do not match"),
        }
    }

    /// The value of a key, or none for an absent key.
    fn optional(&mut self, value: &Value, ty: &Type) -> Option<String> {
        let is_none = ty.optional().is_some() && *value == Value::Case(0, None);
        let is_tagged = ty.optional().is_some_and(|some| some.optional().is_some());
        match (is_none, is_tagged) {
            (true, false) if !self.is_other() => None,
            (true, true) if self.is_other() => None,
            _ => Some(self.value(value, ty)),
        }
    }

    fn shuffled(&mut self, mut pairs: Vec<(String, Option<String>)>) -> String {
        if let Some(random) = &mut self.random {
            for index in (1..pairs.len()).rev() {
                pairs.swap(index, random.below(index + 1));
            }
        }
        self.members(pairs)
    }

    fn members(&mut self, pairs: Vec<(String, Option<String>)>) -> String {
        let pairs = pairs.into_iter();
        let members = pairs.filter_map(|(key, value)| {
            let key = self.quoted(&key);
            Some(format!("{}{key}{}:{}", self.space(), self.space(), value?))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    fn integer(&mut self, value: i128, scalar: Scalar) -> String {
        let is_wide = matches!(scalar, Scalar::U64 | Scalar::S64);
        if is_wide && self.is_javascript {
            return format!("{value}n");
        }
        let is_text = (self.settings.int64 == Int64::String) != self.is_other();
        if is_wide && is_text {
            return format!("\"{value}\"");
        }
        match self.random.as_mut().map_or(0, |random| random.below(5)) {
            1 => format!("{value}.0"),
            2 => format!("{value}.000E+0"),
            3 if value != 0 => format!("{value}000e-3"),
            4 if value % 100 == 0 => format!("{}e2", value / 100),
            _ => value.to_string(),
        }
    }

    fn float(&mut self, value: f64, shortest: String) -> String {
        match value {
            _ if self.is_javascript && !value.is_finite() => match value {
                f64::INFINITY => "Infinity".to_owned(),
                f64::NEG_INFINITY => "-Infinity".to_owned(),
                _ => "NaN".to_owned(),
            },
            value if value.is_nan() => self.quoted("NaN"),
            f64::INFINITY => self.quoted("Infinity"),
            f64::NEG_INFINITY => self.quoted("-Infinity"),
            _ if self.is_other() => shortest,
            _ => shortest.strip_suffix(".0").unwrap_or(&shortest).to_owned(),
        }
    }

    fn quoted(&mut self, text: &str) -> String {
        let mut quoted = String::from("\"");
        for letter in text.chars() {
            match letter {
                letter if letter >= '\u{20}' && self.is_other() => {
                    let mut units = [0; 2];
                    for unit in letter.encode_utf16(&mut units) {
                        quoted += &format!("\\u{unit:04X}");
                    }
                }
                '"' => quoted += "\\\"",
                '\\' => quoted += "\\\\",
                '\n' => quoted += "\\n",
                '\r' => quoted += "\\r",
                '\t' => quoted += "\\t",
                '\u{0}'..='\u{1f}' => quoted += &format!("\\u{:04x}", u32::from(letter)),
                letter => quoted.push(letter),
            }
        }
        quoted + "\""
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= group.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
