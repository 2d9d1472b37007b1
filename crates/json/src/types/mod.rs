//! The model of WIT interfaces: what JSON needs of their types, without the tables of a parser.
//!
//! A type is a handle that is cheap to clone. Types with a name are shared, so a model takes memory
//! for each definition once, however often functions mention it.

mod cases;
mod define;
mod error;
mod lookup;
mod names;
mod text;
mod walk;

use std::collections::HashSet;
use std::sync::Arc;

use weft_wire::{Scalar, SimpleType};

pub(crate) use cases::Cases;
pub use define::MAX_TYPE_PARTS;
pub use error::{Place, TextError, TypeError, TypeProblem};
use lookup::Lookup;
pub use names::{Name, Names, camel_case};

/// A WIT interface.
///
/// ```
/// use weft_json::{Interface, Kind};
///
/// let text = "package shop:catalog@1.0.0;
///     interface orders {
///         record line { sku: string, quantity: u32 }
///         place: func(lines: list<line>) -> result<u64, string>;
///     }";
/// let orders = Interface::from_text(text, "shop:catalog/orders@1.0.0")?;
/// let place = orders.function("place").expect("a function of the interface");
/// let Kind::List(line) = place.params[0].ty.kind() else {
///     panic!("the parameter is a list");
/// };
/// assert_eq!(line.name().expect("a record has a name").name, "line");
/// # Ok::<(), weft_json::TextError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Package, interface and version: `shop:catalog/orders@1.0.0`.
    pub name: Arc<str>,
    /// The prose of the interface.
    pub docs: Option<Arc<str>>,
    /// The functions that JSON can call, in the order of the interface.
    pub functions: Arc<[Function]>,
    /// A reason for each function that JSON cannot call, in the order of the interface.
    pub unsupported: Arc<[TypeError]>,
}

impl Interface {
    /// Returns a function that JSON can call.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Returns the named types that the functions mention, each once, every type after those that
    /// it contains.
    #[must_use]
    pub fn named_types(&self) -> Vec<&Type> {
        let mut walk = NamedTypes::default();
        for function in self.functions.iter() {
            for param in &function.params {
                walk.add(&param.ty);
            }
            if let Some(result) = &function.result {
                walk.add(result);
            }
        }
        walk.types
    }
}

/// A function of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name in WIT.
    pub name: String,
    /// The prose of the function.
    pub docs: Option<Arc<str>>,
    /// The parameters, in their order.
    pub params: Vec<Param>,
    /// The type of the result.
    pub result: Option<Type>,
    /// True for an `async func`.
    pub is_async: bool,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The name of the parameter, a key of a JSON body.
    pub name: Name,
    /// The type of the parameter.
    pub ty: Type,
}

/// A WIT type that JSON can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type(Arc<Definition>);

#[derive(Debug, PartialEq, Eq)]
struct Definition {
    name: Option<TypeName>,
    docs: Option<Arc<str>>,
    kind: Kind,
    lookup: Lookup,
    /// The number of types within, this one included, each as often as it is mentioned.
    parts: usize,
    /// The levels of types within each other, this one included.
    depth: u32,
    /// The least number of bytes of an encoded value.
    bytes_min: usize,
}

impl Type {
    /// Returns the structure of the type.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Returns the name of the type; `None` for a type that is written in place, such as
    /// `list<u8>`.
    #[must_use]
    pub fn name(&self) -> Option<&TypeName> {
        self.0.name.as_ref()
    }

    /// Returns the prose of the definition of the type.
    #[must_use]
    pub fn docs(&self) -> Option<&str> {
        self.0.docs.as_deref()
    }

    /// Returns the least number of bytes of an encoded value.
    #[must_use]
    pub fn bytes_min(&self) -> usize {
        self.0.bytes_min
    }

    /// Returns the type within an `option`.
    #[must_use]
    pub fn optional(&self) -> Option<&Self> {
        match self.kind() {
            Kind::Option(some) => Some(some),
            _ => None,
        }
    }

    /// Returns true for an `option` that is its value or null in JSON; false for one of another
    /// option, which is an object with `tag`, and for other types.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        self.optional()
            .is_some_and(|some| some.optional().is_none())
    }

    /// Returns the types that this one consists of, in their order.
    pub fn members(&self) -> impl Iterator<Item = &Self> {
        self.kind().members().into_iter()
    }
}

/// The name of a type, and the interface that defines it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName {
    /// The name in WIT.
    pub name: String,
    /// The interface with its package: `shop:catalog/types@1.0.0`. `None` for a type that a world
    /// defines.
    pub interface: Option<Arc<str>>,
}

/// The structure of a type. An alias has the structure of its target.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A scalar.
    Scalar(Scalar),
    /// `string`
    String,
    /// `list<u8>`
    Bytes,
    /// A list of anything else.
    List(Type),
    /// `map<K, V>`; keys are strings, characters, integers or booleans.
    Map {
        /// The type of keys.
        key: Type,
        /// The type of values.
        value: Type,
    },
    /// `record`
    Record(Vec<Field>),
    /// `tuple`
    Tuple(Vec<Type>),
    /// `variant`
    Variant(Vec<Case>),
    /// `enum`
    Enum(Vec<EnumCase>),
    /// `option`
    Option(Type),
    /// `result`
    Result {
        /// The type of `ok`, if it has a value.
        ok: Option<Type>,
        /// The type of `err`, if it has a value.
        err: Option<Type>,
    },
    /// `flags`
    Flags(Vec<Flag>),
    /// A stream, only as a whole parameter, a whole result, or the `ok` of a result.
    Stream(SimpleType),
    /// A future, only as a whole parameter or result.
    Future(Option<Type>),
}

impl Kind {
    fn members(&self) -> Vec<&Type> {
        match self {
            Self::Scalar(_)
            | Self::String
            | Self::Bytes
            | Self::Enum(_)
            | Self::Flags(_)
            | Self::Stream(_) => Vec::new(),
            Self::List(member) | Self::Option(member) => vec![member],
            Self::Map { key, value } => vec![key, value],
            Self::Record(fields) => fields.iter().map(|field| &field.ty).collect(),
            Self::Tuple(members) => members.iter().collect(),
            Self::Variant(cases) => cases.iter().filter_map(|case| case.ty.as_ref()).collect(),
            Self::Result { ok, err } => ok.iter().chain(err).collect(),
            Self::Future(value) => value.iter().collect(),
        }
    }
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, a key of a JSON object.
    pub name: Name,
    /// The prose of the field.
    pub docs: Option<Arc<str>>,
    /// The type of the field.
    pub ty: Type,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The name in WIT, which is the tag in JSON.
    pub name: String,
    /// The prose of the case.
    pub docs: Option<Arc<str>>,
    /// The type of the payload.
    pub ty: Option<Type>,
}

/// A case of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumCase {
    /// The name in WIT, which is the string in JSON.
    pub name: String,
    /// The prose of the case.
    pub docs: Option<Arc<str>>,
}

/// A flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The name, a key of a JSON object.
    pub name: Name,
    /// The prose of the flag.
    pub docs: Option<Arc<str>>,
}

/// A walk over types that collects the named ones.
#[derive(Default)]
struct NamedTypes<'t> {
    types: Vec<&'t Type>,
    seen: HashSet<*const Definition>,
}

impl<'t> NamedTypes<'t> {
    /// The recursion is bounded by the depth of types.
    fn add(&mut self, ty: &'t Type) {
        if !self.seen.insert(Arc::as_ptr(&ty.0)) {
            return;
        }
        for member in ty.members() {
            self.add(member);
        }
        if ty.name().is_some() {
            self.types.push(ty);
        }
    }
}
