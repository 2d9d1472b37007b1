//! Signatures that cross without being made bytes: those that a host can have as typed functions, of which the
//! table of typed shapes is made, and those of scalars.

use wit_parser::{Function, FunctionKind, Resolve, Type, TypeDefKind};

use super::type_walk::without_aliases;

/// The most parameters of a typed shape: the table grows with their power.
pub const MAX_DIRECT_PARAMS: usize = 2;

/// The most scalars that a call of [`Scalars`] has: each is a parameter of it, whether it is used or not.
pub const MAX_SCALARS: usize = 4;

/// How deeply scalars may be in records.
const MAX_SCALARS_DEPTH: usize = 8;

/// A type of a typed shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `s8`
    S8,
    /// `u16`
    U16,
    /// `s16`
    S16,
    /// `u32`
    U32,
    /// `s32`
    S32,
    /// `u64`
    U64,
    /// `s64`
    S64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<u8>`
    Bytes,
}

/// A synchronous function of few parameters, none of which has a structure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature {
    /// The parameters, [`MAX_DIRECT_PARAMS`] at most.
    pub params: Vec<Kind>,
    /// The result.
    pub outcome: Outcome,
}

/// The result of a [`Signature`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// There is none.
    Nothing,
    /// A value.
    Plain(Kind),
    /// `result<_, string>` or `result<T, string>`.
    Fallible(Option<Kind>),
}

/// A synchronous function of few scalars, alone or in records and tuples.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scalars {
    /// The parameters one after the other, [`MAX_SCALARS`] at most.
    pub params: Vec<Kind>,
    /// The result.
    pub result: Option<Kind>,
}

impl Scalars {
    /// The scalars of a function, if it has nothing else.
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

/// Adds the scalars of which a type consists, if it has nothing else and they are not too many.
fn add_scalars(resolve: &Resolve, ty: &Type, depth: usize, scalars: &mut Vec<Kind>) -> Option<()> {
    match Kind::of(resolve, ty) {
        Some(Kind::String | Kind::Bytes) => None,
        Some(_) if scalars.len() == MAX_SCALARS => None,
        Some(scalar) => {
            scalars.push(scalar);
            Some(())
        }
        None => {
            let (Type::Id(id), Some(depth)) = (without_aliases(resolve, ty), depth.checked_sub(1))
            else {
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
    /// The signature of a function, if it is one of typed shapes.
    ///
    /// A method has a handle for a parameter, and a static function belongs to a resource too: those are
    /// the stub's.
    pub(super) fn of(resolve: &Resolve, function: &Function) -> Option<Self> {
        let params = &function.params;
        if function.kind != FunctionKind::Freestanding || params.len() > MAX_DIRECT_PARAMS {
            return None;
        }
        let params = params.iter().map(|param| Kind::of(resolve, &param.ty));
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
    /// The outcome that is a value of this type.
    pub(super) fn of(resolve: &Resolve, ty: &Type) -> Option<Self> {
        if let Some(kind) = Kind::of(resolve, ty) {
            return Some(Self::Plain(kind));
        }
        let Type::Id(id) = without_aliases(resolve, ty) else {
            return None;
        };
        let TypeDefKind::Result(result) = &resolve.types[id].kind else {
            return None;
        };
        match Kind::of(resolve, result.err.as_ref()?)? {
            Kind::String => match &result.ok {
                None => Some(Self::Fallible(None)),
                Some(ok) => Some(Self::Fallible(Some(Kind::of(resolve, ok)?))),
            },
            _ => None,
        }
    }
}

impl Kind {
    /// The kind that a type is, by whichever name.
    pub(super) fn of(resolve: &Resolve, ty: &Type) -> Option<Self> {
        Some(match without_aliases(resolve, ty) {
            Type::Bool => Self::Bool,
            Type::U8 => Self::U8,
            Type::S8 => Self::S8,
            Type::U16 => Self::U16,
            Type::S16 => Self::S16,
            Type::U32 => Self::U32,
            Type::S32 => Self::S32,
            Type::U64 => Self::U64,
            Type::S64 => Self::S64,
            Type::F32 => Self::F32,
            Type::F64 => Self::F64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::ErrorContext => return None,
            Type::Id(id) => match &resolve.types[id].kind {
                TypeDefKind::List(element) if without_aliases(resolve, element) == Type::U8 => {
                    Self::Bytes
                }
                _ => return None,
            },
        })
    }
}
