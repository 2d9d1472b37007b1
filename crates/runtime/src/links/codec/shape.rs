//! The types of a function, walked once.
//!
//! wasmtime describes types by handles, which are created anew at each step of a walk. Values are
//! many and types few, so the types are converted once, before values are walked.

use wasmtime::component::Type;
use wasmtime::component::types::{ComponentFunc, ResultType};
use weft_wire::{Scalar, SimpleType, for_each_scalar};

use super::CodecError;

/// The most parts of all types of one function: a thousand times the size of common ones, and a
/// bound for types that double at each level.
const PARTS_MAX: usize = 1 << 16;

/// The types of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionShape {
    pub(crate) params: Box<[Shape]>,
    /// At most one.
    pub(crate) results: Box<[Shape]>,
}

/// A type that links carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar(Scalar),
    String,
    List {
        element: Box<Shape>,
        /// The least number of bytes of an encoded element.
        bytes_min: usize,
    },
    /// A list of entries, each a tuple of a key and a value.
    Map {
        entry: Box<(Shape, Shape)>,
        /// The least number of bytes of an encoded entry.
        bytes_min: usize,
    },
    Record(Box<[(String, Shape)]>),
    Tuple(Box<[Shape]>),
    Variant(Box<[(String, Option<Shape>)]>),
    Enum(Box<[String]>),
    Option(Box<Shape>),
    Result {
        ok: Option<Box<Shape>>,
        err: Option<Box<Shape>>,
    },
    Flags(Box<[String]>),
    Stream(SimpleType),
    Future(FutureValue),
}

/// Value type of a future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FutureValue {
    Plain(SimpleType),
    /// `result<_, string>`, or a result with a value.
    Fallible(Option<SimpleType>),
}

impl FunctionShape {
    /// The shape of a function's parameters and result.
    ///
    /// # Errors
    /// If links do not carry the function.
    pub(crate) fn of(function: &ComponentFunc) -> Result<Self, CodecError> {
        let mut walk = Walk { parts: 0 };
        Ok(Self {
            params: walk.all(function.params().map(|(_, ty)| ty))?,
            results: walk.all(function.results())?,
        })
    }
}

impl Shape {
    /// The shape of a type.
    ///
    /// # Errors
    /// If links do not carry the type.
    #[cfg(test)]
    pub(crate) fn of(ty: &Type) -> Result<Self, CodecError> {
        Walk { parts: 0 }.one(ty)
    }

    /// The least number of bytes of an encoded value.
    fn bytes_min(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.encoded_bytes().0 as usize,
            Self::Record(fields) => fields.iter().map(|(_, shape)| shape.bytes_min()).sum(),
            Self::Tuple(members) => members.iter().map(Self::bytes_min).sum(),
            _ => 1,
        }
    }
}

impl FutureValue {
    fn of(ty: &Type) -> Option<Self> {
        match ty {
            Type::Result(result) if result.err() == Some(Type::String) => match result.ok() {
                None => Some(Self::Fallible(None)),
                Some(ok) => Some(Self::Fallible(Some(simple_type(&ok)?))),
            },
            other => simple_type(other).map(Self::Plain),
        }
    }
}

/// A walk over the types of one function.
struct Walk {
    parts: usize,
}

impl Walk {
    fn one(&mut self, ty: &Type) -> Result<Shape, CodecError> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(CodecError::TypeSize { limit: PARTS_MAX });
        }
        if let Some(scalar) = scalar_type(ty) {
            return Ok(Shape::Scalar(scalar));
        }
        Ok(match ty {
            Type::String => Shape::String,
            Type::List(list) => {
                let element = Box::new(self.one(&list.ty())?);
                let bytes_min = element.bytes_min();
                Shape::List { element, bytes_min }
            }
            Type::Map(map) => {
                let (key, value) = (self.one(&map.key())?, self.one(&map.value())?);
                let bytes_min = key.bytes_min() + value.bytes_min();
                let entry = Box::new((key, value));
                Shape::Map { entry, bytes_min }
            }
            Type::Record(record) => {
                let fields = record.fields();
                let fields = fields.map(|field| Ok((field.name.to_owned(), self.one(&field.ty)?)));
                Shape::Record(fields.collect::<Result<_, CodecError>>()?)
            }
            Type::Tuple(tuple) => Shape::Tuple(self.all(tuple.types())?),
            Type::Variant(variant) => {
                let cases = variant.cases();
                let cases = cases.map(|case| {
                    let payload = case.ty.map(|ty| self.one(&ty)).transpose()?;
                    Ok((case.name.to_owned(), payload))
                });
                Shape::Variant(cases.collect::<Result<_, CodecError>>()?)
            }
            Type::Enum(names) => Shape::Enum(names.names().map(str::to_owned).collect()),
            Type::Option(option) => Shape::Option(Box::new(self.one(&option.ty())?)),
            Type::Result(result) => self.result(result)?,
            Type::Flags(names) => Shape::Flags(names.names().map(str::to_owned).collect()),
            Type::Stream(stream) => {
                let element = stream.ty().as_ref().and_then(simple_type);
                Shape::Stream(element.ok_or_else(|| refused("a stream of unsupported elements"))?)
            }
            Type::Future(future) => {
                let value = future.ty().as_ref().and_then(FutureValue::of);
                Shape::Future(value.ok_or_else(|| refused("a future of an unsupported type"))?)
            }
            Type::Own(_) | Type::Borrow(_) => return Err(refused("a resource")),
            Type::ErrorContext => return Err(refused("an error context")),
            Type::FixedLengthList(_) => return Err(refused("a list of fixed length")),
            _ => return Err(refused("an unknown type")),
        })
    }

    fn result(&mut self, result: &ResultType) -> Result<Shape, CodecError> {
        let mut side = |ty: Option<Type>| ty.map(|ty| self.one(&ty).map(Box::new)).transpose();
        Ok(Shape::Result {
            ok: side(result.ok())?,
            err: side(result.err())?,
        })
    }

    fn all(&mut self, types: impl Iterator<Item = Type>) -> Result<Box<[Shape]>, CodecError> {
        types.map(|ty| self.one(&ty)).collect()
    }
}

/// The simple type that a type is, as streams and futures carry it.
fn simple_type(ty: &Type) -> Option<SimpleType> {
    match ty {
        Type::String => Some(SimpleType::String),
        Type::List(list) if list.ty() == Type::U8 => Some(SimpleType::Bytes),
        ty => scalar_type(ty).map(SimpleType::Scalar),
    }
}

macro_rules! scalar_types {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        fn scalar_type(ty: &Type) -> Option<Scalar> {
            use Type::{Float32 as F32, Float64 as F64, *};
            Some(match ty {
                $($scalar => Scalar::$scalar,)*
                _ => return None,
            })
        }
    };
}

for_each_scalar!(scalar_types);

fn refused(found: &'static str) -> CodecError {
    CodecError::Type { found }
}
