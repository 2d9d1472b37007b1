//! The definition of types: each is checked once, where it is made.

use std::collections::HashMap;
use std::sync::Arc;

use weft_wire::{MAX_VALUE_DEPTH, Scalar};

use super::{Definition, Kind, Lookup, Name, Type, TypeName, TypeProblem};

/// The most parts of all types of one function, each type counted as often as it is mentioned: a
/// thousand times the size of common ones, and a bound for types that double at each level.
pub const MAX_TYPE_PARTS: usize = 1 << 16;

pub(super) const TOO_LARGE: TypeProblem = TypeProblem::Parts {
    limit: MAX_TYPE_PARTS,
};

pub(super) const TOO_DEEP: TypeProblem = TypeProblem::Depth {
    limit: MAX_VALUE_DEPTH,
};

impl Type {
    /// Creates a type without a name and prose, from its structure.
    ///
    /// ```
    /// use weft_json::{Kind, Type};
    /// use weft_wire::Scalar;
    ///
    /// let byte = Type::unnamed(Kind::Scalar(Scalar::U8))?;
    /// let bytes = Type::unnamed(Kind::list_of(byte))?;
    /// assert!(matches!(bytes.kind(), Kind::Bytes));
    /// # Ok::<(), weft_json::TypeProblem>(())
    /// ```
    ///
    /// # Errors
    /// If JSON cannot carry the type: it is too large or too deep, two keys are the same, or a map
    /// has keys that are no keys of an object.
    pub fn unnamed(kind: Kind) -> Result<Self, TypeProblem> {
        Self::define(None, None, kind)
    }

    /// Creates a type, as [`unnamed`](Self::unnamed).
    pub(super) fn define(
        name: Option<TypeName>,
        docs: Option<Arc<str>>,
        kind: Kind,
    ) -> Result<Self, TypeProblem> {
        kind.check()?;
        let members = kind.members();
        let parts = members.iter().map(|member| member.0.parts);
        let parts = parts.fold(1_usize, usize::saturating_add);
        if parts > MAX_TYPE_PARTS {
            return Err(TOO_LARGE);
        }
        let depth = 1 + members.iter().map(|ty| ty.0.depth).max().unwrap_or(0);
        if depth > MAX_VALUE_DEPTH {
            return Err(TOO_DEEP);
        }
        let bytes_min = kind.bytes_min();
        Ok(Self(Arc::new(Definition {
            name,
            docs,
            lookup: Lookup::new(&kind),
            kind,
            parts,
            depth,
            bytes_min,
        })))
    }
}

impl Kind {
    /// Returns the structure of a list; a list of `u8` is [`Kind::Bytes`].
    #[must_use]
    pub fn list_of(element: Type) -> Self {
        match element.kind() {
            Self::Scalar(Scalar::U8) => Self::Bytes,
            _ => Self::List(element),
        }
    }

    /// Checks that the keys of objects are different, and that those of maps are keys.
    fn check(&self) -> Result<(), TypeProblem> {
        match self {
            Self::Record(fields) => check_keys("a record", fields.iter().map(|field| &field.name)),
            Self::Flags(flags) => check_keys("flags", flags.iter().map(|flag| &flag.name)),
            Self::Map { key, .. } => match key.kind() {
                Self::String => Ok(()),
                Self::Scalar(scalar) if !matches!(scalar, Scalar::F32 | Scalar::F64) => Ok(()),
                kind => {
                    let found = format!("a map with keys of type {}", kind.word());
                    Err(unsupported(found))
                }
            },
            _ => Ok(()),
        }
    }

    /// Copies the structure; the types within are shared.
    pub(super) fn share(&self) -> Self {
        match self {
            Self::Scalar(scalar) => Self::Scalar(*scalar),
            Self::String => Self::String,
            Self::Bytes => Self::Bytes,
            Self::List(element) => Self::List(element.clone()),
            Self::Map { key, value } => Self::Map {
                key: key.clone(),
                value: value.clone(),
            },
            Self::Record(fields) => Self::Record(fields.clone()),
            Self::Tuple(members) => Self::Tuple(members.clone()),
            Self::Variant(cases) => Self::Variant(cases.clone()),
            Self::Enum(cases) => Self::Enum(cases.clone()),
            Self::Option(some) => Self::Option(some.clone()),
            Self::Result { ok, err } => Self::Result {
                ok: ok.clone(),
                err: err.clone(),
            },
            Self::Flags(flags) => Self::Flags(flags.clone()),
            Self::Stream(element) => Self::Stream(*element),
            Self::Future(value) => Self::Future(value.clone()),
        }
    }

    /// The least number of bytes of an encoded value. Types are bounded in size, and so is the sum.
    fn bytes_min(&self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.encoded_bytes().0 as usize,
            Self::Record(fields) => fields.iter().map(|field| field.ty.bytes_min()).sum(),
            Self::Tuple(members) => members.iter().map(Type::bytes_min).sum(),
            Self::Flags(flags) => flags.len().div_ceil(8),
            _ => 1,
        }
    }

    /// The word of WIT for the type.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) => scalar.name(),
            Self::String => "string",
            Self::Bytes | Self::List(_) => "list",
            Self::Map { .. } => "map",
            Self::Record(_) => "record",
            Self::Tuple(_) => "tuple",
            Self::Variant(_) => "variant",
            Self::Enum(_) => "enum",
            Self::Option(_) => "option",
            Self::Result { .. } => "result",
            Self::Flags(_) => "flags",
            Self::Stream(_) => "stream",
            Self::Future(_) => "future",
        }
    }
}

/// Checks that all names are different keys in lowerCamelCase.
pub(super) fn check_keys<'n>(
    found: &'static str,
    names: impl Iterator<Item = &'n Name>,
) -> Result<(), TypeProblem> {
    let mut keys: HashMap<&str, &Name> = HashMap::new();
    for second in names {
        if let Some(first) = keys.insert(second.camel(), second) {
            return Err(TypeProblem::SameKey {
                found,
                first: first.wit().into(),
                second: second.wit().into(),
                key: second.camel().into(),
            });
        }
    }
    Ok(())
}

pub(super) fn unsupported(found: impl Into<Box<str>>) -> TypeProblem {
    TypeProblem::Unsupported {
        found: found.into(),
    }
}
