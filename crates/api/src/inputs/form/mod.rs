//! Forms of parts as bodies: each part is a parameter, and one may be a stream.

mod reader;
mod values;

use weft_json::{Kind, Names, Param, Type};
use weft_wire::{Scalar, SimpleType};

pub use self::reader::{FormReader, FormStep, FormStream, StreamStep};
pub use self::values::FormParts;

/// The form that a body can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// The parameters that are parts.
    pub(crate) parts: Vec<Param>,
    /// The index of the part that is a stream. It is the last part of a form.
    pub(crate) stream: Option<usize>,
}

impl Form {
    /// The form of these parameters; `None` if no part would be a file.
    pub(super) fn of(parts: &[Param]) -> Option<Self> {
        let is_file = |part: &Param| is_stream(&part.ty) || is_bytes(&part.ty);
        parts.iter().any(is_file).then(|| Self {
            parts: parts.to_vec(),
            stream: parts.iter().position(|part| is_stream(&part.ty)),
        })
    }

    /// The name of a part, as in JSON.
    pub(super) fn key(&self, index: usize, names: Names) -> &str {
        self.parts[index].name.key(names)
    }
}

fn is_stream(ty: &Type) -> bool {
    *ty.kind() == Kind::Stream(SimpleType::Scalar(Scalar::U8))
}

/// True for a type whose part is its bytes, of any media type.
pub(crate) fn is_bytes(ty: &Type) -> bool {
    match ty.kind() {
        Kind::Bytes => true,
        Kind::Option(some) => *some.kind() == Kind::Bytes,
        _ => false,
    }
}
