//! Signatures that cross without an encoding: those of the host's table of typed functions, and
//! those of scalars.

use weft_wire::{Scalar, SimpleType, for_each_scalar};
use wit_parser::{Function, FunctionKind, Resolve, Type, TypeDefKind};

use super::type_walk::without_aliases;

/// The maximum number of parameters of a typed function: the table grows exponentially with it.
pub const MAX_DIRECT_PARAMS: usize = 2;

/// The maximum number of scalars of a [`Scalars`] call: the host function for such calls has that
/// many parameters, used or not.
pub const MAX_SCALARS: usize = 4;

/// The maximum depth of records around scalars.
const MAX_SCALARS_DEPTH: usize = 8;

/// A synchronous function with few parameters, all of them without structure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature {
    /// The parameters, at most [`MAX_DIRECT_PARAMS`].
    pub params: Vec<SimpleType>,
    /// The result.
    pub outcome: Outcome,
}

/// The result of a [`Signature`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// No result.
    Nothing,
    /// A plain value.
    Plain(SimpleType),
    /// `result<_, string>` or `result<T, string>`.
    Fallible(Option<SimpleType>),
}

/// A synchronous function of few scalars, alone or in records and tuples.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scalars {
    /// The parameters, flattened, at most [`MAX_SCALARS`].
    pub params: Vec<Scalar>,
    /// The result.
    pub result: Option<Scalar>,
}

impl Scalars {
    /// The scalars of a function; `None` if the function has other types.
    pub(super) fn of(resolve: &Resolve, function: &Function) -> Option<Self> {
        let mut params = Vec::new();
        for param in &function.params {
            add_scalars(resolve, &param.ty, MAX_SCALARS_DEPTH, &mut params)?;
        }
        let mut results = Vec::new();
        if let Some(ty) = &function.result {
            add_scalars(resolve, ty, MAX_SCALARS_DEPTH, &mut results)?;
        }
        let result = match results.as_slice() {
            [] => None,
            [result] => Some(*result),
            _ => return None,
        };
        Some(Self { params, result })
    }
}

/// Appends the scalars of a type; `None` if it has other types or too many scalars.
fn add_scalars(
    resolve: &Resolve,
    ty: &Type,
    depth: usize,
    scalars: &mut Vec<Scalar>,
) -> Option<()> {
    let ty = without_aliases(resolve, ty);
    match scalar_type(&ty) {
        Some(_) if scalars.len() == MAX_SCALARS => None,
        Some(scalar) => {
            scalars.push(scalar);
            Some(())
        }
        None => {
            let (Type::Id(id), Some(depth)) = (ty, depth.checked_sub(1)) else {
                return None;
            };
            let add = |ty: &Type| add_scalars(resolve, ty, depth, scalars);
            match &resolve.types[id].kind {
                TypeDefKind::Record(record) => record
                    .fields
                    .iter()
                    .map(|field| &field.ty)
                    .try_for_each(add),
                TypeDefKind::Tuple(tuple) => tuple.types.iter().try_for_each(add),
                _ => None,
            }
        }
    }
}

impl Signature {
    /// The typed signature of a function; `None` if it has other types.
    ///
    /// Methods and static functions are excluded: both belong to a resource, so they take the stub.
    pub(super) fn of(resolve: &Resolve, function: &Function) -> Option<Self> {
        let params = &function.params;
        if function.kind != FunctionKind::Freestanding || params.len() > MAX_DIRECT_PARAMS {
            return None;
        }
        let params = params.iter().map(|param| simple_type(resolve, &param.ty));
        Some(Self {
            params: params.collect::<Option<_>>()?,
            outcome: match &function.result {
                None => Outcome::Nothing,
                Some(ty) => Outcome::of(resolve, ty)?,
            },
        })
    }
}

impl Outcome {
    /// The outcome for a result of this type.
    pub(super) fn of(resolve: &Resolve, ty: &Type) -> Option<Self> {
        if let Some(ty) = simple_type(resolve, ty) {
            return Some(Self::Plain(ty));
        }
        let Type::Id(id) = without_aliases(resolve, ty) else {
            return None;
        };
        let TypeDefKind::Result(result) = &resolve.types[id].kind else {
            return None;
        };
        match simple_type(resolve, result.err.as_ref()?)? {
            SimpleType::String => match &result.ok {
                None => Some(Self::Fallible(None)),
                Some(ok) => Some(Self::Fallible(Some(simple_type(resolve, ok)?))),
            },
            _ => None,
        }
    }
}

/// The simple type behind the aliases of a type.
pub(super) fn simple_type(resolve: &Resolve, ty: &Type) -> Option<SimpleType> {
    match without_aliases(resolve, ty) {
        Type::String => Some(SimpleType::String),
        Type::Id(id) => match &resolve.types[id].kind {
            TypeDefKind::List(element) if without_aliases(resolve, element) == Type::U8 => {
                Some(SimpleType::Bytes)
            }
            _ => None,
        },
        ty => scalar_type(&ty).map(SimpleType::Scalar),
    }
}

macro_rules! scalar_types {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        /// The scalar that a type is, without a look behind aliases.
        pub(crate) const fn scalar_type(ty: &Type) -> Option<Scalar> {
            match ty {
                $(Type::$scalar => Some(Scalar::$scalar),)*
                Type::String | Type::ErrorContext | Type::Id(_) => None,
            }
        }
    };
}

for_each_scalar!(scalar_types);
